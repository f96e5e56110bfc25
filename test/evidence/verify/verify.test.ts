import { expect, type TestContext, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { nativeObstacle } from '../../../bench/evidence/native/native.ts';
import { findOriginal } from '../../../bench/evidence/verify/real.ts';
import { compareStatistics } from '../../../bench/evidence/verify/statistics.ts';
import { verificationText } from '../../../bench/evidence/verify/text.ts';
import { verify } from '../../../bench/evidence/verify/verify.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { resolveWorkload } from '../../../workloads/index.ts';
import { EVENT_FORMS } from '../../../workloads/trace/event-forms.ts';
import { createTraceParser } from '../../../workloads/trace/text/parser.ts';
import { requireThat, requireTool } from '../../helpers/require.ts';

/** The version that this machine has, or the test is skipped. */
function spec(context: TestContext, allocator: string) {
  const obstacle = nativeObstacle();
  requireThat(context, obstacle === undefined, obstacle ?? '');
  const parsed = parseAllocator(allocator, 2);
  try {
    findOriginal(parsed);
  } catch (error) {
    requireThat(context, false, (error as Error).message);
  }
  return parsed;
}

const stress = async (profile: string): Promise<EventBuffer> =>
  (await resolveWorkload(`stress:profile=${profile},events=4000,seed=11,threads=3`)).events;

test.for([
  ['glibc', 'mix'],
  ['glibc', 'exits'],
  ['glibc:tcache_count=2,mxfast=0,arena_max=2', 'prodcons'],
  ['glibc:hugetlb=2', 'trim'],
  ['jemalloc', 'mix'],
  ['jemalloc:narenas=2,dirty_decay_ms=100', 'decay'],
  ['jemalloc:retain=false', 'exits'],
] as const)('%s on %s: everything is as on the real one', async ([allocator, profile], context) => {
  const model = spec(context, allocator);
  const events = await stress(profile);
  const v = await verify({ events, workload: profile, spec: model });
  expect(v.passed, verificationText(v, events)).toBe(true);
  expect(v.placements.total).toBeGreaterThan(1500);
  expect(v.samples.numbers).toBeGreaterThan(20);
});

test('jemalloc: a thread that only frees and writes is in no arena, as its program made no other call', async (context) => {
  const { events } = await resolveWorkload('xmalloc-test:pairs=2,batches=6,batch=40');
  const v = await verify({ events, workload: 'xmalloc-test', spec: spec(context, 'jemalloc') });
  expect(v.passed, verificationText(v, events)).toBe(true);
});

test('every event is known to the replay of the real one', async (context) => {
  const lines = [
    '%htrace 2',
    'm 0 1 100',
    'tc 0 7',
    'tb 7',
    'c 7 8 10 20',
    'a 7 9 64 1000',
    'r 7 9 3000',
    'te 7',
    'tj 0 7 12000',
    'trim 0 0',
    'ec 0 10 4 8',
    'er 0 10 900',
    'eb 0',
    'em 0 2 300',
    'ee 0',
    'gc 0',
    'em 0 3 70000 ~',
    'w 0 3 9 9',
    'ef 0 3',
    'es 0',
  ];
  lines.push(
    'ctl 0 arena.4096.purge',
    'opt 0 memory_limit -1',
    'm 1 4 5000 !',
    'fork 1',
    'm 1 5 70',
    'exit 1',
    'f 1 1',
  );
  // None that comes to the format is forgotten.
  const used = new Set(lines.map((line) => line.split(' ', 1)[0]));
  expect(EVENT_FORMS.filter(({ name }) => !used.has(name))).toEqual([]);
  const parser = createTraceParser({ source: 'T' });
  parser.push(new TextEncoder().encode(`${lines.join('\n')}\n`));
  const events = parser.finish();
  const v = await verify({ events, workload: 'T', spec: spec(context, 'glibc') });
  expect(v.passed, verificationText(v, events)).toBe(true);
  expect(v.placements.total).toBeGreaterThan(8);
});

test.for(['glibc', 'jemalloc'])(
  '%s: a failed call for which there is memory all the same',
  async (allocator, context) => {
    const lines = [
      'm 0 0 524288 !',
      'm 0 1 100',
      'm 0 0 52428 !',
      'm 0 2 52428',
      'f 0 1',
      'm 0 0 524288 !',
      'm 0 3 524288',
      'r 0 4 139215',
      'r 0 4 1280 !',
      'w 0 4 0 139215',
    ];
    const parser = createTraceParser({ source: 'T' });
    parser.push(new TextEncoder().encode(`%htrace 2\n${lines.join('\n')}\n`));
    const events = parser.finish();
    const v = await verify({ events, workload: 'T', spec: spec(context, allocator) });
    expect(v.passed, verificationText(v, events)).toBe(true);
  },
);

test('what differs is found and told: a model with another setting than the real one', async (context) => {
  requireTool(context, 'strace');
  const model = spec(context, 'jemalloc');
  const events = await stress('mix');
  const wrong = { ...model, options: { ...model.options, narenas: 1 } };
  const v = await verify({ events, workload: 'mix', spec: wrong, show: 2 });
  expect(v.passed).toBe(false);
  expect(v.placements.identical).toBeLessThan(v.placements.total);
  expect(v.placements.first).toHaveLength(2);
  expect(v.samples.equal).toBeLessThan(v.samples.total);
  const text = verificationText(v, events);
  expect(text).toMatch(/First placements that are not identical/);
  expect(text).toMatch(/First system call that differs: number \d+, event \d+\n {2}model .*\n {2}real /);
  expect(text.trimEnd().endsWith('Not the same.')).toBe(true);
});

test('statistics: every leaf of the real ones, by its path', () => {
  const real = { arena: 1, small: { nmalloc: 2 }, 'large.nmalloc': 3, bins: [{ size: 8 }, { size: 16 }] };
  const model = { arena: 1, small: { nmalloc: 2 }, large: { nmalloc: 4 }, bins: [{ size: 8 }], more: 9 };
  expect(compareStatistics(model, real)).toEqual({
    compared: 5,
    differing: [
      { name: 'large.nmalloc', model: 4, real: 3 },
      { name: 'bins.1.size', model: undefined, real: 16 },
    ],
  });
});

test('what can not be run here is said in a line', () => {
  expect(() => findOriginal(parseAllocator('zendmm', 2))).toThrow(/zendmm.* can not be run here/);
});
