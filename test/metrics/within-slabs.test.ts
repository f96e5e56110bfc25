import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { CLASSES, classBytes } from '../../bench/report/names.ts';
import { summaryText } from '../../bench/report/text/summary.ts';
import { LockstepRun } from '../../bench/run/modes/lockstep.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { explain } from '../../bench/study/explain/explain.ts';
import { explanationText } from '../../bench/study/explain/text.ts';
import { createEventBuilder } from '../../workloads/builder.ts';

/** A slab of 320 is five pages: 64 regions, of which the first stays. */
const REGIONS = 64;

function oneOfSlab(allocator: string): RunOptions {
  const events = createEventBuilder({ name: 'a slab' });
  const blocks = Array.from({ length: REGIONS }, () => events.malloc(0, 320));
  events.sample('full');
  for (const block of blocks.slice(1)) events.free(0, block);
  events.sample('one left');
  return { events: events.finish(), workload: 'a slab', spec: parseAllocator(allocator, 1), cpus: 1, mode: 'lockstep' };
}

describe('free pages of a slab that stands', () => {
  const options = oneOfSlab('jemalloc:tcache=false');

  test('are a class of their own wherever classes are shown, and the classes add up', async () => {
    const { samples, summary, ...rest } = await runInMode(options);
    expect(samples.map((s) => s.withinSlabsBytes)).toEqual([0, 4 * 4096, 4 * 4096]);
    expect(CLASSES.reduce((sum, { key }) => sum + classBytes(summary, key), 0)).toBe(summary.rssBytes);
    expect(summary.breakdown.returnable).toBeGreaterThanOrEqual(summary.withinSlabsBytes);
    expect(summaryText({ samples, summary, ...rest })).toMatch(/\n {2}in slabs +16\.0 KiB /);
  });

  test('are what no purge returns, and `explain` shows them so, area by area', async () => {
    const run = new LockstepRun(options);
    run.advance(options.events.length);
    run.assembled.allocator.purge!(0);
    run.sample('purged', options.events.length);
    expect(run.samples.at(-1)!.withinSlabsBytes).toBe(4 * 4096);
    const e = explain({ ...options, whatIf: false });
    expect(e.areas.map((a) => a.withinSlabsBytes).filter((bytes) => bytes > 0)).toEqual([4 * 4096]);
    expect(e.sample.withinSlabsBytes).toBe(4 * 4096);
    expect(explanationText(e)).toMatch(/ in slabs /);
  });

  test('are none under glibc, which has no slabs', async () => {
    const result = await runInMode(oneOfSlab('glibc'));
    expect(result.summary.withinSlabsBytes).toBe(0);
    expect(summaryText(result)).not.toContain('in slabs');
  });
});
