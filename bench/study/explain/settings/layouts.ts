import { MMAP_RND_PAGES } from '../../../../allocators/jemalloc/options.ts';
import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../../../allocators/spec.ts';
import type { EventBuffer } from '../../../../sim/contract/event.ts';
import { createRandom } from '../../../../sim/contract/random.ts';
import { isTimed } from '../../../run/machine-shape.ts';
import type { RunTask } from '../../parallel/run-task.ts';
import { isRecorded } from '../going-down/final-frees.ts';
import { STOPPED_NS } from '../going-down/pauses.ts';
import { withClock } from './other-clock.ts';
import { withOption } from './setting.ts';

/** For a range so many events are run, in so many runs at most and at least. */
const EVENTS = 4e6;
const MOST = 32;
const FEWEST = 3;

const layerOfJemalloc = (spec: AllocatorSpec): AllocatorSpec | undefined =>
  spec.model.name === 'jemalloc' ? spec : spec.below && layerOfJemalloc(spec.below);

/**
 * Pages go back by and by, when jemalloc looks at the clock: after so many calls and so long as random numbers say, whose seeds are addresses
 * (tsd_prng_state, jitter_state). The kernel draws them for every process.
 */
export function decaysByChance(allocator: string, cpus: number): boolean {
  const { dirty_decay_ms: dirty, muzzy_decay_ms: muzzy } =
    layerOfJemalloc(parseAllocator(allocator, cpus))?.options ?? {};
  return Math.max(Number(dirty ?? 0), Number(muzzy ?? 0)) > 0;
}

/** The run in the process of another layout: the `n`th drawn, from 1. */
export function inLayout(task: RunTask, n: number): RunTask {
  if (!decaysByChance(task.allocator, task.cpus)) return task;
  const shift = createRandom(n, 'mmap_shift').integer(1, MMAP_RND_PAGES - 1);
  return {
    ...task,
    allocator: formatAllocator(withOption(parseAllocator(task.allocator, task.cpus), 'mmap_shift', shift)),
  };
}

/** Of what a recorded program does between its pauses: recording slows that down, nobody knows by how much; where another one has the processor half of the time it takes twice as long. */
const PACES = [1, 2, 1 / 2, 1 / 4];

/** How a program may run: in the order of the trace, in processes of other layouts and by other clocks. */
export interface Layouts {
  /** Runs where that matters; `round`: each has layouts of its own. */
  others(task: RunTask, round: number): RunTask[];
}

export function createLayouts(events: EventBuffer): Layouts {
  const runs = Math.max(FEWEST, Math.min(MOST, Math.floor(EVENTS / Math.max(1, events.length))));
  const paces = isRecorded(events.source) && runs > FEWEST ? PACES : [1];
  const clocks = new Map<number, EventBuffer>([[1, events]]);
  const atPace = (pace: number): EventBuffer => {
    const clock = clocks.get(pace) ?? withClock(events, pace, STOPPED_NS);
    clocks.set(pace, clock);
    return clock;
  };
  return {
    others(task, round) {
      if (!isTimed(events) || !decaysByChance(task.allocator, task.cpus)) return [];
      return Array.from({ length: runs }, (_, i) => ({
        ...inLayout(task, round * MOST + i + 1),
        events: atPace(paces[Math.floor((i * paces.length) / runs)]!),
      }));
    },
  };
}
