import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { expect, type TestContext, test } from 'vitest';
import {
  findRealAllocator,
  nativeObstacle,
  type RealAllocator,
  replayNatively,
  straceNatively,
} from '../../../bench/evidence/native/native.ts';
import { comparePlacements, parsePlacements } from '../../../sim/replay/compare-placements.ts';
import { requireThat, requireTool } from '../../helpers/require.ts';

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/native/${name}`, import.meta.url));
const small = () => Readable.from(fixture('small.htrace'));
const text =
  (...lines: string[]) =>
  () =>
    Readable.from(['%htrace 1\n', ...lines.map((line) => `${line}\n`)]);

function real(context: TestContext, version: string, preload?: string): RealAllocator {
  const obstacle = nativeObstacle();
  requireThat(context, obstacle === undefined, obstacle ?? '');
  const found = findRealAllocator(preload);
  requireThat(
    context,
    found?.version === version,
    `needs ${preload ?? 'glibc'} ${version}, found ${found?.version ?? 'none'}`,
  );
  return found!;
}

test('every kind of event goes where another replay of glibc 2.36 has seen it go', async (context) => {
  const truth = await replayNatively(small, { allocator: real(context, '2.36') });
  const recorded = parsePlacements(fixture('small.glibc-2.36.placements'));
  expect(truth.placements.address.slice(0, truth.placements.length)).toEqual(
    recorded.address.slice(0, recorded.length),
  );
  expect(comparePlacements(truth.placements, recorded)).toMatchObject({ total: 10, agree: 10, identical: 10 });
  expect(truth.samples.map((s) => [s.label, s.event, s.ns, s.rss_kb, s.size_kb])).toEqual([
    ['mapped', 7, 0, 224, 65864],
    ['end', 21, 1_000_000, 28, 131100],
  ]);
  expect(truth.samples[1]!.glibc).toMatchObject({ arena: 196608, uordblks: 13008, keepcost: 4000 });
});

test('another allocator is preloaded and sees the same protocol', async (context) => {
  const allocator = real(context, '5.3.0', 'libjemalloc.so.2');
  const { placements, samples } = await replayNatively(small, { allocator, info: true });
  expect(placements.length).toBe(10);
  // The first block comes from the first extent below the fence.
  expect(placements.address[0]).toBeGreaterThan(0x7effff000000);
  expect(samples.map((s) => s.label)).toEqual(['(begin)', 'mapped', 'end', '(end)']);
  expect(samples[3]!.jemalloc).toMatchObject({ narenas: expect.any(Number), bins: expect.any(Array) });
});

test('options reach the allocator through the environment', async (context) => {
  const environment = { GLIBC_TUNABLES: 'glibc.malloc.mmap_threshold=1000000' };
  const trace = text('m 0 1 200000');
  const { placements } = await replayNatively(trace, { allocator: real(context, '2.36'), environment });
  expect(placements.address[0]).toBe(0x55555556a2a0); // in the heap, behind the first thread cache
});

test('free-running gives every allocation its line, in the order of the file', async (context) => {
  const { placements } = await replayNatively(small, { allocator: real(context, '2.36'), mode: 'free' });
  expect([...placements.event.slice(0, placements.length)]).toEqual([1, 2, 3, 4, 5, 6, 10, 14, 17, 18]);
});

test('strace shows which event made which call', async (context) => {
  requireTool(context, 'strace');
  const log = await straceNatively(text('tb 1', 'm 0 1 300000'), { allocator: real(context, '2.36') }, true);
  const marked = log.slice(log.indexOf('"htrace:1"'));
  expect(marked).toMatch(
    /mmap\(NULL, 303104, PROT_READ\|PROT_WRITE, MAP_PRIVATE\|MAP_ANONYMOUS, -1, 0\) = 0x7efffffb6000\n/,
  );
});

test('what is no trace is refused in one line', async (context) => {
  const allocator = real(context, '2.36');
  await expect(replayNatively(() => Readable.from(['hello\n']), { allocator })).rejects.toThrow(
    'the native replay failed: replay: - does not start with %htrace',
  );
  await expect(replayNatively(text('m 0 1'), { allocator })).rejects.toThrow('line 2: number expected');
});
