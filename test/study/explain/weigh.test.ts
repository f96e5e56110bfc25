import { expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { conclude } from '../../../bench/study/explain/conclude.ts';
import { observe } from '../../../bench/study/explain/observe.ts';
import { createSharedRuns } from '../../../bench/study/explain/shared-runs.ts';
import type { Timings } from '../../../bench/study/explain/timed.ts';
import { usualTrials } from '../../../bench/study/explain/trials.ts';
import { weigh } from '../../../bench/study/explain/weigh.ts';
import type { OrderRange, Trial } from '../../../bench/study/explain/what-if.ts';
import { createRunner } from '../../../bench/study/parallel/run-all.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

/** A cache that is full of freed blocks lies above a free page: without it the heap ends lower. */
const LINES = [
  'm 0 9999 100',
  ...Array.from({ length: 400 }, (_, i) => `m 0 ${i} 1000`),
  ...Array.from({ length: 400 }, (_, i) => `f 0 ${399 - i}`),
];
const KIB = 1024;
const options = { events: eventsOf(LINES), workload: 'test', spec: parseAllocator('glibc@2.36', 2), cpus: 2 };

/** What is advised where virtual time ends `offBytes` off the order of the trace, and other seeds leave `seeds`. */
async function adviceWhere(offBytes: number, seeds: { asItIs: OrderRange; setting: OrderRange }) {
  const observed = observe(options);
  const { event, sample } = observed.facts;
  const shared = createSharedRuns(options);
  const trials = usualTrials(options, event);
  const runner = createRunner({ workers: 1 });
  for (const trial of shared.claim(trials)) shared.keep(trial, (await runner.run([trial.task]))[0]!.result);
  await runner.close();
  const again: (Trial | null)[] = [];
  const timings: Timings = {
    async of(trial) {
      const own = trial ? shared.of(trial)!.samples.at(-1)!.rssBytes : sample.rssBytes;
      const endBytes = own + offBytes;
      return {
        times: { cpuNs: 1000, lockWaitNs: 0, threadNs: 1000 },
        orders: { leastBytes: endBytes, mostBytes: endBytes, leftOut: 0 },
      };
    },
    async again(trial) {
      again.push(trial);
      return trial ? seeds.setting : seeds.asItIs;
    },
    begin() {},
  };
  const weighed = await weigh(options, observed, shared, trials, timings);
  const { verdict, orders } = conclude(options, observed, shared, trials, false, weighed);
  return { again, verdict, orders, rssBytes: sample.rssBytes };
}

const only = (bytes: number): OrderRange => ({ leastBytes: bytes, mostBytes: bytes, leftOut: 0 });

test('where virtual time agrees with the order of the trace no other seed is run', async () => {
  const { again, verdict, rssBytes } = await adviceWhere(0, { asItIs: only(0), setting: only(0) });
  expect(rssBytes).toBeGreaterThan(300 * KIB);
  expect(verdict.advice?.setting).toBe('tcache_count=0');
  expect(again).toEqual([]);
});

test('a close call is run with other seeds, as it is too, and stands where they confirm it', async () => {
  const { again, verdict, orders, rssBytes } = await adviceWhere(60 * KIB, {
    asItIs: { leastBytes: 350 * KIB, mostBytes: 420 * KIB, leftOut: 0 },
    setting: only(100 * KIB),
  });
  expect(again.map((trial) => trial?.setting.about ?? null)).toEqual(['no thread caches', null]);
  expect(verdict.advice?.setting).toBe('tcache_count=0');
  expect(orders).toEqual({ leastBytes: 350 * KIB, mostBytes: rssBytes + 60 * KIB, leftOut: 0 });
});

test('and falls where they do not', async () => {
  const { verdict } = await adviceWhere(60 * KIB, { asItIs: only(300 * KIB), setting: only(250 * KIB) });
  expect(verdict.advice).toBeNull();
  expect(verdict.answer.join(' ')).toMatch(/within what the order of the threads’ calls changes/);
});
