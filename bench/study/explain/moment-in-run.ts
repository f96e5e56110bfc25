import { bytes, count } from '../../../sim/contract/format.ts';
import { PAGE_BYTES } from '../../../sim/contract/units.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import type { RunOptions } from '../../run/run-options.ts';
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
export function momentOf(options: RunOptions, at: string | undefined): Moment {
  return momentFromEvents(options.events, at) ?? (at === 'peak' ? peakMoment(options) : beforeLocalsDied(options));
}

/**
 * Where main() frees what it holds and does nothing more, as C++ does with its locals, the exit finds a heap of the dead: the moment
 * before these frees is judged. So it is where the program does a little more and the heap is nearly empty.
 */
function beforeLocalsDied(options: RunOptions): Moment {
  const { events } = options;
  const exit = exitMoment(events);
  const last = localsDying(events, exit);
  if (!last) return exit;
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const { residency } = run.assembled.machine.kernel;
  run.advance(last.row);
  const living = residency.residentPages();
  run.advance(exit.end);
  const left = residency.residentPages();
  const leave = ` and leave ${bytes(left * PAGE_BYTES)} of ${bytes(living * PAGE_BYTES)}`;
  if (left < living * EMPTIED) return beforeFrees(last, leave);
  const at = `(--at #${Math.max(0, last.row - 1)} judges before them)`;
  return { ...exit, about: `${EXIT_BEGINS}, after ${freesText(last)}, which come shortly before it${leave} ${at}` };
}

/** Where the most was resident: found in steps, then event by event within the step. */
function peakMoment(options: RunOptions): Moment {
  const { events } = options;
  const step = Math.max(1, Math.ceil(events.length / PEAK_STEPS));
  const [from, to] = lastRise({ ...options, events: events }, 0, events.length, step);
  const [, end] = step === 1 ? [from, to] : lastRise(options, from, to, 1);
  return { kind: 'peak', end, about: `where the most was resident, after event ${count(Math.max(0, end - 1))}` };
}

function lastRise(options: RunOptions, from: number, to: number, step: number): [number, number] {
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const { residency } = run.assembled.machine.kernel;
  run.advance(from);
  let peak = from === 0 ? -1 : residency.residentPeakPages();
  let found: [number, number] = [from, from];
  for (let row = from; row < to; ) {
    const next = Math.min(to, row + step);
    run.advance(next);
    if (residency.residentPeakPages() > peak) {
      peak = residency.residentPeakPages();
      found = [row, next];
    }
    row = next;
  }
  return found;
}
