import { bytes, count, duration } from '../../../sim/contract/format.ts';
import { PAGE_BYTES } from '../../../sim/contract/units.ts';
import { atOnce } from '../../../workloads/breathing.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { IDLE_NS } from './final-frees.ts';
import {
  beforeFrees,
  EXIT_BEGINS,
  exitMoment,
  freesText,
  localsDying,
  type Moment,
  momentFromEvents,
} from './moment.ts';

/** Frees that leave less than this share resident have emptied the heap. */
const EMPTIED = 0.5;
const PEAK_STEPS = 256;

/** The moment that `at` means (momentFromEvents); where the events alone do not tell, a run does. Its models have to be loaded. */
export const momentOf = (options: RunOptions, at: string | undefined): Moment => atOnce(momentSteps(options, at));

/** The same in steps. */
export function* momentSteps(options: RunOptions, at: string | undefined): Generator<void, Moment> {
  const known = momentFromEvents(options.events, at);
  return known ?? (yield* at === 'peak' ? peakMoment(options) : beforeLocalsDied(options));
}

/**
 * Where main() frees what it holds and does nothing more, as C++ does with its locals, the exit finds a heap of the dead: the moment
 * before these frees is judged. So it is where the program does a little more and the heap is nearly empty.
 */
function* beforeLocalsDied(options: RunOptions): Generator<void, Moment> {
  const { events } = options;
  const exit = exitMoment(events);
  const last = localsDying(events, exit);
  if (!last) return exit;
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const { residency } = run.assembled.machine.kernel;
  yield* run.advanceInSteps(last.row);
  const living = residency.residentPages();
  yield* run.advanceInSteps(exit.end);
  const left = residency.residentPages();
  const leave = ` and leave ${bytes(left * PAGE_BYTES)} of ${bytes(living * PAGE_BYTES)} resident`;
  if (left < living * EMPTIED && last.idleNs <= IDLE_NS) return beforeFrees(last, leave);
  const at = `(before them: --at #${Math.max(0, last.row - 1)})`;
  return {
    ...exit,
    about: `${EXIT_BEGINS}; ${freesText(last)} end ${duration(last.idleNs)} earlier${leave} ${at}`,
  };
}

/** Where the most was resident: found in steps, then event by event within the step. */
function* peakMoment(options: RunOptions): Generator<void, Moment> {
  const { events } = options;
  const step = Math.max(1, Math.ceil(events.length / PEAK_STEPS));
  const [from, to] = yield* lastRise(options, 0, events.length, step);
  const [, end] = step === 1 ? [from, to] : yield* lastRise(options, from, to, 1);
  return { kind: 'peak', end, about: `where the most was resident, after event ${count(Math.max(0, end - 1))}` };
}

function* lastRise(options: RunOptions, from: number, to: number, step: number): Generator<void, [number, number]> {
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const { residency } = run.assembled.machine.kernel;
  yield* run.advanceInSteps(from);
  let peak = from === 0 ? -1 : residency.residentPeakPages();
  let found: [number, number] = [from, from];
  for (let row = from; row < to; ) {
    const next = Math.min(to, row + step);
    yield* run.advanceInSteps(next);
    if (residency.residentPeakPages() > peak) {
      peak = residency.residentPeakPages();
      found = [row, next];
    }
    row = next;
  }
  return found;
}
