import { expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import type { RunOptions } from '../../../bench/run/run-options.ts';
import { createTimings } from '../../../bench/study/explain/settings/timed.ts';
import { usualTrials } from '../../../bench/study/explain/settings/trials.ts';
import type { Trial } from '../../../bench/study/explain/settings/what-if.ts';
import { createRunner, type Runner } from '../../../bench/study/parallel/run-all.ts';
import type { RunTask } from '../../../bench/study/parallel/run-task.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const events = {
  ...eventsOf(
    Array.from({ length: 40 }, (_, i) => [`m ${i % 3} ${i} 3000`, '+ 50000', `f ${i % 3} ${i}`, '+ 50000']).flat(),
  ),
  source: 'recorded with LD_PRELOAD, linux x64',
};

/** Timings, and what they have run: mode, pace and, where they are not those of the timed run, seed, processors and layout. */
function timingsOf(allocator: string) {
  const options: RunOptions = { events, workload: 'test', spec: parseAllocator(allocator, 2), cpus: 2 };
  const runner = createRunner({ workers: 0 });
  const tasks: RunTask[] = [];
  const heard: Runner = {
    ...runner,
    run: (all) => {
      tasks.push(...(all as readonly RunTask[]));
      return runner.run(all);
    },
  };
  const timings = createTimings(options, events.length, heard);
  const trialOf = (setting: string): Trial =>
    usualTrials(options, events.length).find(({ task }) => task.allocator.endsWith(setting))!;
  const ran = () =>
    tasks
      .splice(0)
      .map(
        ({ mode, pace, pausesFromNs, affinity, seed }) =>
          `${mode} ${pausesFromNs ? 'fast' : pace}${affinity ? ' on one' : ''}${seed > 0 ? ' seed' : ''}`,
      );
  return { timings, trialOf, ran, close: () => runner.close() };
}

const ALL = [
  'virtual recorded',
  'virtual fast',
  'virtual fast on one',
  ...Array.from({ length: 4 }, () => 'virtual fast seed'),
];

test('heaps that threads share are run in half of the orders, then in all; what has heaps of its own in its own order', async () => {
  const { timings, trialOf, ran, close } = timingsOf('glibc@2.36');
  await timings.of(trialOf('arena_max=1'), 'few');
  expect(ran()).toEqual(ALL.slice(0, 4));
  await timings.of(trialOf('arena_max=1'), 'all');
  expect(ran()).toEqual(ALL.slice(4));
  await timings.asItIs([trialOf('arena_max=1')]);
  expect(ran()).toEqual(ALL.slice(0, 3));
  await timings.of(trialOf('top_pad=0'), 'few');
  expect(ran()).toEqual(ALL.slice(0, 1));
  await timings.asItIs([trialOf('arena_max=1'), trialOf('top_pad=0')]);
  expect(ran()).toEqual([]);
  await close();
});

test('where the clock decides what goes back, what has arenas of its own is run in other layouts, and so is the run as it is', async () => {
  const { timings, trialOf, ran, close } = timingsOf('jemalloc@5.3.0');
  await timings.of(trialOf('narenas=1'), 'few');
  expect(ran()).toEqual(ALL.slice(0, 4));
  await timings.of(trialOf('background_thread=true'), 'few');
  const own = ran();
  expect(own[0]).toBe('virtual recorded');
  expect(new Set(own.slice(1))).toEqual(new Set(['lockstep asap']));
  await timings.asItIs([trialOf('background_thread=true')]);
  expect(ran()).toEqual(own);
  await close();
});

test('what starts in the same state is run once', async () => {
  const { timings, trialOf, ran, close } = timingsOf('jemalloc@5.3.0');
  const zero = trialOf('dirty_decay_ms=0');
  await timings.of(zero, 'few');
  ran();
  const same = { ...zero, setting: { ...zero.setting, options: { dirty_decay_ms: 0, muzzy_decay_ms: 0 } } };
  await timings.of(same, 'few');
  expect(ran()).toEqual([]);
  await close();
});
