import { expect, test, vi } from 'vitest';
import { measureReplay } from '../../bench/benchmark/replay-rows.ts';
import { benchTrace } from '../../bench/benchmark/traces.ts';
import { nativeObstacle } from '../../bench/evidence/native/native.ts';
import { requireThat } from '../helpers/require.ts';

const threads = vi.hoisted(() => ({ started: 0 }));
vi.mock('node:worker_threads', async (original) => ({
  ...(await original<object>()),
  Worker: class {
    constructor() {
      threads.started++;
    }
  },
}));

test('a signal while the real allocator starts: no thread of a model has started, which nobody would end', async (context) => {
  requireThat(context, nativeObstacle() === undefined, nativeObstacle() ?? '');
  const interruption = new AbortController();
  const events = benchTrace('mixed', 1000, false);
  const rounds = { rounds: 1, warmUp: 0, signal: interruption.signal };
  const row = measureReplay({ trace: 'mixed', allocator: 'glibc', events, preload: '', ...rounds });
  interruption.abort();
  await expect(row).rejects.toThrow();
  expect(threads.started).toBe(0);
});
