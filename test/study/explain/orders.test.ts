import { expect, test } from 'vitest';
import { fullSpeedSeeds } from '../../../bench/study/explain/orders.ts';
import type { RunTask } from '../../../bench/study/parallel/run-task.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const events = { ...eventsOf(['m 0 1 8', 'm 1 2 8', 'f 1 1']), source: 'recorded with LD_PRELOAD, linux x64' };
const timed: RunTask = {
  events,
  workload: 'test',
  parameters: {},
  allocator: 'glibc:arena_max=1',
  cpus: 2,
  mode: 'virtual',
  pace: 'recorded',
  seed: 5,
};

test('a recording is run at full speed with other seeds, as far as its length allows', () => {
  const seedsOf = (of: EventBuffer, task = timed) => fullSpeedSeeds(task, of).map(({ pace, seed }) => [pace, seed]);
  expect(seedsOf(events)).toEqual([7, 8, 9, 10].map((seed) => ['asap', seed]));
  expect(seedsOf({ ...events, length: 1_400_000 })).toHaveLength(2);
  expect(seedsOf({ ...events, length: 5_000_000 })).toEqual([]);
  expect(seedsOf({ ...events, source: 'made up' })).toEqual([]);
  expect(seedsOf(events, { ...timed, cpus: 1 })).toEqual([]);
});
