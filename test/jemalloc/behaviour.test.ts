import { describe, expect, it } from 'vitest';
import { overviewText } from '../../allocators/jemalloc/overview.ts';
import { statsPrintJson } from '../../allocators/jemalloc/stats-json.ts';
import { statsPrintText } from '../../allocators/jemalloc/stats-text.ts';
import { parseAllocator } from '../../allocators/spec.ts';
import { assemble } from '../../bench/run/machine.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { OP_ZERO_PAGES_REPLACED } from '../../sim/contract/operations.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { createLockstep } from '../../sim/replay/lockstep.ts';
import { eventsFrom, fixture, jemallocRun, runTrace } from './run.ts';

const rssOf = (observed: ReturnType<typeof runTrace>, label: string) =>
  observed.run.samples.find((s) => s.label === label)!.rssBytes;

/**
 * 20 MB in blocks of 40,000 bytes, freed; then a minute without a call; then some work, which shows jemalloc the unused
 * pages, and half a minute later some more, which purges them.
 */
const BUSY = Array.from({ length: 500 }, (_, i) => `m 0 ${i + 1} 40000`);
const FREED = Array.from({ length: 500 }, (_, i) => `f 0 ${i + 1}`);
const WORK = Array.from({ length: 4000 }, () => 'm 0 1 40000\nf 0 1');
const IDLE = [
  '%htrace 1',
  ...BUSY,
  ...FREED,
  '= freed',
  '+ 60000000000',
  '= idle',
  ...WORK,
  '+ 30000000000',
  ...WORK,
  '= worked',
  '',
].join('\n');

describe('an idle process', () => {
  it('keeps its pages until its arena is used again, and says how many are overdue', () => {
    const observed = runTrace(IDLE);
    expect(rssOf(observed, 'idle')).toBe(rssOf(observed, 'freed'));
    expect(observed.run.samples[1]!.stats['overdue_bytes']).toBeGreaterThan(19e6);
    expect(overviewText(observed.run.samples[1]!.stats)).toContain('does not shrink by itself');
    expect(rssOf(observed, 'worked')).toBeLessThan(rssOf(observed, 'freed') - 15e6);
    expect(observed.run.samples[2]!.stats['overdue_bytes']).toBe(0);
  });

  it('gives them back when the program says so: all at once, or from then on by itself', () => {
    const told = (call: string) =>
      runTrace(IDLE.replace('%htrace 1', '%htrace 2').replace('= freed', `= freed\nctl 0 ${call}`));
    const kept = rssOf(told('thread.tcache.flush'), 'idle');
    for (const call of ['arena.4096.purge', 'arena.0.purge', 'background_thread 1', 'arena.0.dirty_decay_ms 0']) {
      expect([call, rssOf(told(call), 'idle') < kept / 4]).toEqual([call, true]);
    }
    for (const call of ['arena.3.purge', 'background_thread 0', 'arena.0.dirty_decay_ms -1', 'arena.4096.decay']) {
      expect([call, rssOf(told(call), 'idle')]).toEqual([call, kept]);
    }
  });

  it('gives its pages back by itself with background threads', () => {
    const observed = runTrace(IDLE, 'jemalloc:background_thread=true');
    expect(rssOf(observed, 'idle')).toBeLessThan(rssOf(observed, 'freed') - 15e6);
    expect(observed.run.samples[1]!.stats['overdue_bytes']).toBe(0);
  });
});

it('reads the stack of an empty cache before it writes to it: the page faults twice, as the real replay counted', () => {
  const sizes = [8, 64, 128, 256, 512, 1024, 1024];
  const { run } = jemallocRun(
    eventsFrom(`%htrace 1\n%touch none\n${sizes.map((size, i) => `m 1 ${i + 1} ${size}`).join('\n')}\n`),
  );
  const { kernel, operations } = run.assembled.machine;
  const faults: number[] = [];
  const replaced: number[] = [];
  for (let row = 1; row <= sizes.length; row++) {
    run.advance(row);
    faults.push(kernel.residency.faults());
    replaced.push(operations[OP_ZERO_PAGES_REPLACED]!);
  }
  expect(faults.map((count) => count - faults[0]!)).toEqual([0, 2, 4, 6, 6, 8, 8]);
  expect(replaced).toEqual([0, 1, 2, 3, 3, 4, 4]);
});

describe('options', () => {
  it.each(['hpa', 'prof'])('%s is refused as not modelled', (name) => {
    const events = eventsFrom('%htrace 1\nm 0 1 1\n');
    expect(() => jemallocRun(events, `jemalloc:${name}=true`)).toThrow(UserError);
  });

  it('unknown names get a suggestion', () => {
    expect(() => parseAllocator('jemalloc:dirty_decay=1', 2)).toThrow("did you mean 'dirty_decay_ms'?");
  });

  it('the number of arenas follows the processors', () => {
    const events = eventsFrom('%htrace 1\nm 0 1 1\n');
    const arenas = (cpus: number) => {
      const { run } = jemallocRun(events, 'jemalloc', { cpus, spec: parseAllocator('jemalloc', cpus) });
      run.sample('s', 0);
      return run.samples[0]!.stats['narenas'];
    };
    expect([arenas(1), arenas(2), arenas(32)]).toEqual([2, 9, 129]); // and one for oversize requests
  });
});

describe('a snapshot', () => {
  it('brings the process back to where it was: the same blocks follow', () => {
    const events = eventsFrom(fixture('mix.htrace.gz'));
    const assembled = assemble({
      spec: parseAllocator('jemalloc', 2),
      events,
      cpus: 2,
      touch: events.touch,
      kernel: KERNEL_DEFAULTS,
      locks: uncontendedLocks,
    });
    const { machine, objects, allocator } = assembled;
    const { run } = createLockstep({
      events,
      objects,
      kernel: machine.kernel,
      allocator,
      request: undefined,
      touches: true,
      onFailure: () => {},
    });
    const half = events.length >> 1;
    const state = () =>
      JSON.stringify([allocator.stats(), [...objects.handles], machine.kernel.residency.residentPages()]);
    run(0, half);
    const snapshot = machine.memory.snapshot();
    run(half, events.length);
    const first = state();
    machine.memory.restore(snapshot);
    allocator.check();
    run(half, events.length);
    allocator.check();
    expect(state()).toBe(first);
  });
});

/** Without what waiting, rates of locks and the printing itself (its buffer is a block of arena 0) have to do with. */
function comparable(text: string): string[] {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith('arenas[1]'));
  const head = lines.slice(
    0,
    lines.findIndex((line) => line.startsWith('Allocated:')),
  );
  const locks = /^(large|extent_avail|extents_\w+|decay_\w+|base|tcache_list|hpa_\w+) /;
  const binLine = 213; // where a bin's lock columns begin
  return [
    ...head,
    ...lines
      .slice(first)
      .filter((line) => !locks.test(line))
      .map((line) => line.slice(0, binLine)),
  ];
}

describe('stats_print', () => {
  const truth = fixture('exits.json.gz').toString();
  const { allocator } = JSON.parse(truth) as { readonly allocator: string };
  const observed = jemallocRun(eventsFrom(fixture('exits.htrace.gz')), allocator);
  observed.run.advance(Infinity);
  observed.run.sample('(end)', observed.run.row);
  const { stats } = observed.run.samples.at(-1)!;

  it('is the real text, but for lock columns and the buffer of the printing itself', () => {
    expect(comparable(statsPrintText(stats))).toEqual(comparable(fixture('stats-print.txt.gz').toString()));
  });

  it('is the real JSON, key by key', () => {
    type Json = { readonly [name: string]: Json } | readonly Json[] | number | string | boolean;
    const real = JSON.parse(fixture('stats-print.json.gz').toString()) as { readonly jemalloc: Record<string, Json> };
    const ours = JSON.parse(statsPrintJson(stats)) as { readonly jemalloc: Record<string, Json> };
    const keys = (json: Json): unknown =>
      Array.isArray(json)
        ? json.map(keys)
        : typeof json === 'object'
          ? Object.entries(json).map(([name, value]) => [name, keys(value as Json)])
          : typeof json;
    expect(keys(ours.jemalloc)).toEqual(keys(real.jemalloc));
    for (const part of ['version', 'config', 'opt', 'prof', 'arenas'])
      expect(ours.jemalloc[part]).toEqual(real.jemalloc[part]);
  });

  it('the overview has the figures and says where the defaults are not what is often told', () => {
    const text = overviewText(stats);
    expect(text).toMatch(/^Arenas: 9\nQuantum size: 16\nPage size: 4096\nMaximum thread-cached size class: 32768\n/);
    expect(text).toMatch(/madvise_dontneed: \d+/);
    expect(text).toContain('not four');
  });
});

describe('the radix tree of extents', () => {
  it('has a leaf for each GiB of the real process: a break that crosses into the next one takes a second', () => {
    // The real one under dss:primary: 6 MiB more are mapped for the base block of the second leaf.
    const { run } = jemallocRun(eventsFrom('%htrace 1\n%touch none\nm 0 1 700000000\n= a\n'), 'jemalloc:dss=primary');
    run.advance(Infinity);
    const [sample] = run.samples;
    expect(sample).toMatchObject({ vszBytes: 956301312, rssBytes: 352256 });
  });
});

describe('a child', () => {
  it('has nobody to clean up after: threads of the parent that end here leave what they had cached', () => {
    const child = [
      'm 1 1 100',
      'm 2 2 100',
      'm 1 3 100',
      'f 1 3',
      'fork 2',
      'te 1',
      'f 2 2',
      '= a',
      'm 1 4 100',
      'te 1',
      '= b',
    ];
    const { run } = runTrace(`%htrace 2\n${child.join('\n')}\n`);
    run.advance(Infinity);
    const [a, b] = run.samples;
    expect(a!.requestedBytes).toBe(100);
    expect(b!.requestedBytes).toBe(200);
  });
});
