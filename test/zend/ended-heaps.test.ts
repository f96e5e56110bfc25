import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import { eventsFrom } from '../helpers/observed-run.ts';

/*
 * Blocks whose heap ends before the program gives them back: at a request's end under all=true, with the thread that
 * owned the heap, or because 7.1 unmapped the chunk that the heap's own header lies in. The process does not survive the
 * next use; the sum of the breakdown's classes is asserted at each sample on the way.
 */
const run = async (allocator: string, mode: 'lockstep' | 'virtual', lines: readonly string[]) => {
  const events = eventsFrom(`%htrace 1\n${lines.join('\n')}\n`);
  return runInMode({ events, workload: 'test', spec: parseAllocator(allocator, 4), cpus: 4, mode });
};

const MODELS = ['zendmm@8.2:all=true', 'zendmm@7.1:all=true', 'zendmm@5.6:all=true'];

for (const allocator of MODELS) {
  for (const mode of ['lockstep', 'virtual'] as const) {
    test(`${allocator}, ${mode}: a free behind the end of the request that held the block ends the process`, async () => {
      const { abort, samples } = await run(allocator, mode, ['m 0 1 1854', 'm 0 2 25060', 'ee 0', '= ended', 'f 0 2']);
      expect(abort).toMatchObject({ event: 4, message: expect.stringContaining('zend_mm_heap corrupted') });
      expect(samples.map((sample) => sample.liveBlocks)).toEqual([0, 0]);
    });

    test(`${allocator}, ${mode}: so does a realloc; a new block under the same name is another one`, async () => {
      const lines = ['m 0 1 500', 'ee 0', 'm 0 3 700', '= used', 'r 0 1 900'];
      const { abort, samples } = await run(allocator, mode, lines);
      expect(abort).toMatchObject({ event: 4 });
      expect(samples.map((sample) => sample.liveBlocks)).toEqual([1, 1]);
    });
  }
}

test('a block that its thread left behind is gone with the thread', async () => {
  const lines = ['m 1 1 100', 'm 1 2 300000', 'te 1', '= left', 'f 0 1'];
  const { abort, samples } = await run('zendmm@8.2:all=true', 'lockstep', lines);
  expect(abort).toMatchObject({ event: 4 });
  expect(samples[0]!.liveBlocks).toBe(0);
});

for (const model of ['zendmm@8.2', 'zendmm@7.1', 'zendmm@5.6']) {
  for (const mode of ['lockstep', 'virtual'] as const) {
    test(`${model}, ${mode}: the engine's shutdown gives back all that the heap has; a later event begins another one`, async () => {
      const lines = [
        'm 0 9 100',
        '= before',
        'eb 0',
        'em 0 1 100',
        'em 0 2 3000000',
        'em 0 3 300000',
        'ee 0',
        'em 0 4 5',
      ];
      lines.push('= used', 'es 0', '= ended', 'f 0 9', 'es 0', 'eb 0', 'em 0 1 3000000', '= again', 'es 0', 'ef 0 1');
      const events = eventsFrom(`%htrace 2\n${lines.join('\n')}\n`);
      const { abort, samples } = await runInMode({
        events,
        workload: 'T',
        spec: parseAllocator(model, 2),
        cpus: 2,
        mode,
      });
      const [before, used, ended, again] = samples.map(({ rssBytes }) => rssBytes);
      expect(samples.map(({ liveBlocks }) => liveBlocks).slice(0, 4)).toEqual([1, 2, 1, 1]);
      expect(used).toBeGreaterThan(before!);
      // Version 5 takes its segments from malloc, which need not give them back.
      if (model === 'zendmm@5.6') expect(ended).toBeLessThan(before! + 32768);
      else expect(ended).toBe(before);
      expect(again! - before!).toBeGreaterThan(3e6);
      expect(abort).toMatchObject({ event: lines.filter((line) => !line.startsWith('#')).length - 1 });
    });
  }
}

test('a free that the heap refuses leaves the block where it is', async () => {
  const { abort, samples } = await run('zendmm@7.1:all=true', 'lockstep', ['m 0 1 8', 'm 1 2 16', 'f 1 1']);
  expect(abort).toMatchObject({ event: 2 });
  expect(samples.at(-1)!.liveBlocks).toBe(2);
});

test('a collection that takes the first chunk out of its ring does not come back to it: that is the end of the process', async () => {
  const lines = ['em 0 1 3072', 'em 0 2 2000000', 'em 0 3 200000', 'ef 0 2', 'ef 0 1', 'gc 0'];
  const events = eventsFrom(`%htrace 2\n${lines.join('\n')}\n`);
  const { abort } = await runInMode({ events, workload: 'test', spec: parseAllocator('zendmm@7.1', 1), cpus: 1 });
  expect(abort).toEqual({ event: 5, message: 'zend_mm_gc never ends: the first chunk is out of its ring' });
});

test('a segment of 5.6 in what a block beyond the fine addresses has left over is refused in one line', async () => {
  const lines = ['%htrace 2', 'a 0 3 128 48464165748', 'em 0 37 26249134'];
  const events = eventsFrom(`${lines.join('\n')}\n`);
  const spec = parseAllocator('zendmm@5.6+jemalloc', 1);
  const run = runInMode({ events, workload: 'T', spec, cpus: 1, mode: 'lockstep' });
  await expect(run).rejects.toThrow(/^a segment of PHP 5 lies in what a block of 4 GiB or more has left over: found/);
});
