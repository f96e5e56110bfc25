import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { LockstepRun, runLockstep } from '../../../bench/run/modes/lockstep.ts';
import type { RunOptions } from '../../../bench/run/run-options.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import { createExperiment } from '../../../bench/study/explain/heap/experiment.ts';
import { type LiveBlock, liveBlocks } from '../../../bench/study/explain/heap/live-blocks.ts';
import { releaseAll } from '../../../bench/study/explain/heap/release.ts';
import { explanationText } from '../../../bench/study/explain/text.ts';
import { breakdownBytes } from '../../../sim/metrics/breakdown.ts';
import { resolveWorkload } from '../../../workloads/index.ts';

const ALLOCATORS = ['glibc', 'jemalloc', 'zendmm', 'zendmm:all=true', 'zendmm@5.6', 'zendmm+jemalloc'];
const PROFILES = ['mix', 'requests'];

async function options(profile: string, allocator: string): Promise<RunOptions> {
  const { events } = await resolveWorkload(`stress:profile=${profile},events=6000`, { seed: 5 });
  return { events, workload: profile, spec: parseAllocator(allocator, 4), cpus: 4 };
}

/** A Zend heap is its thread's alone: what an exited thread left there nobody can free. */
const isFreeable = (block: LiveBlock) => block.freedBy !== 0 || block.thread === 0;

describe.each(ALLOCATORS)('explain under %s', (allocator) => {
  test.each(PROFILES)('%s: areas hold every resident byte, class by class', async (profile) => {
    const given = await options(profile, allocator);
    for (const at of ['#2000', '#4500', undefined]) {
      const e = explain({ ...given, ...(at && { at }), whatIf: false });
      expect(e.areas.reduce((sum, a) => sum + a.residentBytes, 0)).toBe(e.sample.rssBytes);
      for (const name of Object.keys(e.sample.breakdown) as (keyof typeof e.sample.breakdown)[]) {
        expect(
          e.areas.reduce((sum, a) => sum + a.breakdown[name], 0),
          name,
        ).toBe(e.sample.breakdown[name]);
      }
      expect(breakdownBytes(e.sample.breakdown)).toBe(e.sample.rssBytes);
      expect(Object.values(e.verdict.shares).reduce((sum, share) => sum + share, 0)).toBe(e.sample.rssBytes);
      expect(explanationText(e)).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  // Blocks of `mix` die on other threads, which Zend heaps do not survive.
  const profiles = allocator === 'zendmm:all=true' ? ['requests'] : PROFILES;
  test.each(profiles)('%s: an experiment leaves nothing behind', async (profile) => {
    const given = await options(profile, allocator);
    const plain = await runLockstep(given);
    const run = new LockstepRun(given);
    for (const stop of [1500, 3000, 4500]) {
      run.advance(stop);
      const { blocks, threads } = liveBlocks(run, given.events);
      const experiment = createExperiment(run.assembled.machine.memory);
      const before = run.assembled.machine.kernel.residency.residentPages();
      experiment(() => {
        for (const block of blocks.filter((b, i) => i % 3 !== 0 && isFreeable(b)))
          block.owner.free(block.freedBy, block.handle);
        releaseAll(run.assembled, threads);
      });
      expect(run.assembled.machine.kernel.residency.residentPages()).toBe(before);
      run.assembled.top.check();
    }
    run.advance(given.events.length);
    run.sample('(end)', run.row);
    expect(run.samples).toEqual(plain.samples);
  });
});
