import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { playCore, type Step } from './core.ts';

const MS = 1_000_000;
const work = (ns: number): Step[] => [
  ['user', ns],
  ['note', 'done'],
];

describe('time on processors', () => {
  test('threads with a processor each do not disturb each other', () => {
    const { endNs, scheduler } = playCore([work(5 * MS), work(3 * MS), work(4 * MS)], { cpus: 3 });
    expect(endNs).toBe(5 * MS);
    expect(scheduler.timesOf(1)).toMatchObject({ onProcessorNs: 3 * MS, readyNs: 0, contextSwitches: 0 });
  });

  test('two on one processor share it, tick by tick, and take as long as both together', () => {
    const { endNs, notes, scheduler } = playCore([work(20 * MS), work(20 * MS)], { cpus: 1 });
    expect(endNs).toBe(40 * MS);
    expect(notes.map(({ atNs }) => atNs).every((at) => at > 32 * MS)).toBe(true);
    expect(scheduler.timesOf(0).contextSwitches).toBeGreaterThan(2);
  });

  test('a switch costs what it costs, to whoever comes', () => {
    const { endNs, scheduler } = playCore([work(20 * MS), work(20 * MS)], {
      cpus: 1,
      costs: { contextSwitchNs: 1000 },
    });
    const switches = scheduler.timesOf(0).contextSwitches + scheduler.timesOf(1).contextSwitches;
    expect(endNs).toBe(40 * MS + switches * 1000);
  });

  test('in the kernel a thread keeps its processor until it leaves it', () => {
    const inKernel: Step[] = [
      ['kernel', 30 * MS],
      ['note', 'left'],
      ['user', MS],
    ];
    const { at } = playCore([inKernel, work(MS)], { cpus: 1 });
    expect(at('left')).toBe(30 * MS);
    expect(at('done')).toBeGreaterThan(30 * MS);
  });

  test('a queued thread is taken over by a processor that becomes idle', () => {
    const { endNs } = playCore([work(3 * MS), work(20 * MS), work(20 * MS)], { cpus: 2 });
    expect(endNs).toBeLessThan(30 * MS);
  });

  test('with ticks more often, threads take turns more often', () => {
    const switches = (hz: number) =>
      playCore([work(40 * MS), work(40 * MS)], { cpus: 1, hz }).scheduler.timesOf(0).contextSwitches;
    expect(switches(1000)).toBeGreaterThan(switches(100));
  });
});

describe('a waking thread', () => {
  const sleeper: Step[] = [
    ['user', 10],
    ['lock', 'lock'],
    ['note', 'woke'],
    ['unlock', 'lock'],
    ['user', 10],
  ];

  test('runs at once on a processor that idles, after the interrupt', () => {
    const holder: Step[] = [
      ['lock', 'lock'],
      ['user', MS],
      ['unlock', 'lock'],
      ['user', MS],
    ];
    const { at } = playCore([holder, sleeper], { cpus: 2, costs: { wakeLatencyNs: 5000 } });
    expect(at('woke')).toBe(MS + 5000);
  });

  test('with less virtual run time preempts who runs there (check_preempt_wakeup(), CFS)', () => {
    // It slept while the other one ran for 30 ms: beyond the wake-up granularity.
    const holder: Step[] = [
      ['lock', 'lock'],
      ['user', 30 * MS],
      ['unlock', 'lock'],
      ['user', 30 * MS],
    ];
    const { at } = playCore([holder, sleeper], { cpus: 1, version: '6.1' });
    expect(at('woke')).toBeLessThan(31 * MS);
  });
});

// enqueue_entity(): update_curr(), then place_entity()
test.each(['6.1', '6.18'] as const)(
  'how long the runner had been alone gives a woken thread no more than its due: %s',
  (version) => {
    const turns = (note: string): Step[] =>
      Array.from({ length: 20 }, (): Step[] => [
        ['user', MS],
        ['note', note],
      ]).flat();
    const longest = (alone: number) => {
      const holder: Step[] = [['lock', 'lock'], ['user', alone], ['unlock', 'lock'], ...turns('holder')];
      const waiter: Step[] = [['user', 1], ['lock', 'lock'], ['unlock', 'lock'], ...turns('waiter')];
      const { notes } = playCore([holder, waiter], { cpus: 1, version });
      return notes.findIndex(({ note }) => note === 'holder');
    };
    expect(longest(200 * MS)).toBeLessThanOrEqual(4); // a tick's worth
  },
);

test('threads that are more than processors go round', () => {
  const { endNs } = playCore(
    Array.from({ length: 5 }, () => work(2000 * MS)),
    { cpus: 4 },
  );
  expect(endNs).toBeLessThan(2750 * MS); // two that shared one to the end would take 3 s, five fourths 2.5
});

test('a tick that falls on a tick is not armed for the same time again', () => {
  // Ticks of a third of a millisecond: sums of them are rounded. The core would stay at such a time for ever.
  for (const hz of [300, 250, 1000, 3000]) {
    const script = Array.from({ length: 400 }, (): Step => ['user', 0.25 * MS]);
    expect(playCore([script, script, script], { cpus: 1, hz }).unfinished).toBe(0);
  }
});

/** Any threads, any segments, any machine: the invariants hold (playCore checks them), nobody is left, and work is neither lost nor made. */
test('whatever is played, time adds up', { timeout: 60_000 }, () => {
  const ns = fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 8 * MS }));
  const section = fc.oneof(
    ns.map((n): Step[] => [['user', n]]),
    ns.map((n): Step[] => [['kernel', n]]),
    fc.tuple(fc.constantFrom('a', 'b'), ns).map(([l, n]): Step[] => [
      ['lock', l],
      ['user', n],
      ['unlock', l],
    ]),
    fc
      .tuple(fc.constantFrom('a', 'b'), ns)
      .map(([l, n]): Step[] => [['lock', l], ['write'], ['kernel', n], ['unwrite'], ['unlock', l]]),
    ns.map((n): Step[] => [['write'], ['kernel', n], ['unwrite']]),
    ns.map((n): Step[] => [['read'], ['kernel', n], ['unread']]),
  );
  const script = fc.array(section, { maxLength: 12 }).map((sections): Step[] => [...sections.flat(), ['note', 'done']]);
  const costs = fc.record({
    lockNs: fc.constantFrom(0, 5),
    lineTransferNs: fc.constantFrom(0.1, 30, 90),
    guardedTransferNs: fc.constantFrom(0, 85),
    lineKeepNs: fc.constantFrom(0, 350),
    futexWaitNs: fc.constantFrom(0, 200, 640),
    futexWakeNs: fc.constantFrom(0, 150),
    futexWakeWorkNs: fc.constantFrom(0, 45),
    wakeLatencyNs: fc.constantFrom(0, 2000, 12_000),
    wakeIdleNs: fc.constantFrom(0, 4500),
    contextSwitchNs: fc.constantFrom(0, 600),
  });
  const machine = fc.record({
    cpus: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constantFrom(32, 256)),
    topology: fc.constantFrom('auto', 'pair', 'milan', 'icelake'),
    version: fc.constantFrom('6.1' as const, '6.18' as const),
    hz: fc.constantFrom(100, 250, 300, 1000),
    locks: fc.constantFrom({ a: 'futex', b: 'spin-then-futex' } as const, { a: 'futex', b: 'futex' } as const),
  });
  fc.assert(
    fc.property(fc.array(script, { minLength: 1, maxLength: 24 }), costs, machine, (scripts, prices, options) => {
      const { notes, scheduler, unfinished } = playCore(scripts, { ...options, costs: prices });
      expect(unfinished).toBe(0);
      expect(notes).toHaveLength(scripts.length);
      scripts.forEach((steps, t) => {
        const own = steps.reduce((sum, [, n]) => sum + (typeof n === 'number' ? n : 0), 0);
        expect(scheduler.timesOf(t).onProcessorNs).toBeGreaterThanOrEqual(own - 1);
      });
    }),
    { numRuns: 80, seed: 24 },
  );
});
