import { loadModel } from '../../../../allocators/load.ts';
import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../../../allocators/spec.ts';
import type { EventBuffer } from '../../../../sim/contract/event.ts';
import { bytes, count, counted, duration } from '../../../../sim/contract/format.ts';
import { type Bytes, type Ns, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { atOnce } from '../../../../workloads/breathing.ts';
import { LockstepRun } from '../../../run/modes/lockstep.ts';
import { recordedAllocator } from '../../../run/recorded-allocator.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import { countsByName } from '../../../run/run-result.ts';
import { goingDown, withLocals } from '../going-down/going-down.ts';
import { AT_ONCE_NS, IDLE_NS } from '../going-down/pauses.ts';
import { freesText } from '../going-down/reason-text.ts';
import { threadEnds } from '../going-down/thread-ends.ts';
import { priceOfColdCall } from '../settings/priced-work.ts';
import { type Moment, momentBefore, momentFromEvents } from './moment.ts';

/** Frees that leave less than this share resident have emptied the heap. */
const EMPTIED = 0.5;
const PEAK_STEPS = 256;

/** The moment that `at` means (momentFromEvents); where the events alone do not tell, a run does. Its models have to be loaded (loadForMoment). */
export const momentOf = (options: RunOptions, at: string | undefined, known?: Moment): Moment =>
  atOnce(momentSteps(options, at, known));

/** What a run of these options needs, and the search for its moment. */
export async function loadForMoment(options: Pick<RunOptions, 'spec' | 'events' | 'cpus'>): Promise<void> {
  await loadModel(options.spec);
  await loadModel(recordedSpec(options.events, options.cpus));
}

const recordedSpec = (events: EventBuffer, cpus: number): AllocatorSpec =>
  parseAllocator(recordedAllocator(events), cpus);

/** The same in steps; `known`: what the events alone have told. */
export function* momentSteps(
  options: RunOptions,
  at: string | undefined,
  known = momentFromEvents(options.events, at),
): Generator<void, Moment> {
  const moment = known ?? (yield* at === 'peak' ? peakMoment(options) : beforeLocalsDied(options));
  return moment.kind === 'exit' || moment.kind === 'end' ? yield* withThreads(options, moment) : moment;
}

/**
 * Where main() frees what it holds and does nothing more, as C++ does with its locals, the exit finds a heap of the dead: the moment
 * before these frees is judged. So it is where the program does a little more and the heap is nearly empty.
 * The heap is that of the recorded allocator: a moment is one of the program, whatever allocator it is judged under.
 */
function* beforeLocalsDied(options: RunOptions): Generator<void, Moment> {
  const { events } = options;
  const down = goingDown(events);
  const { frees: last } = down;
  const moment = momentBefore(down, events);
  if (!last) return moment;
  const spec = recordedSpec(events, options.cpus);
  const rows = [last.row, last.end - 1, last.end, moment.end];
  const { resident, operations } = yield* lookAt({ ...options, spec }, rows);
  const [living, , freed, left] = resident;
  const ofLast = operations[2]!.map((count, i) => count - operations[1]![i]!);
  if (
    !down.areUsual &&
    last.callsBehind === 0 &&
    isOfFree(last.idleNs, priceOfColdCall({ ...options, spec }, countsByName(ofLast)))
  ) {
    return momentBefore(withLocals(down, last), events);
  }
  const [own, recorded] = [formatAllocator(options.spec), formatAllocator(spec)];
  const under = own === recorded ? '' : ` under ${recorded}`;
  const leave = ` and leave ${bytes(freed!)} of ${bytes(living!)} resident${under}`;
  if (!down.areUsual && left! < living! * EMPTIED && last.idleNs <= IDLE_NS) {
    const later = bytes(left!) === bytes(freed!) ? '' : `, of which the exit finds ${bytes(left!)}`;
    return momentBefore(withLocals(down, last), events, `${leave}${later}`);
  }
  return {
    ...moment,
    about: `${moment.about}; ${freesText(last)} end ${duration(last.idleNs)} earlier${leave} (before them: ${atRow(last.row)})`,
  };
}

/**
 * Whether a time behind a free may be what the free itself took: an older recording has it before the call (newer ones have idle-at-exit). The last free is
 * often of what is largest, and unmaps it or consolidates what was freed before.
 */
const isOfFree = (ns: Ns, priceNs: Ns): boolean => ns <= AT_ONCE_NS + priceNs;

/**
 * A thread that ends gives up its cache, and what the cache kept apart may go back: while the threads live as much is resident as
 * before the first of them ended, or a later one where more was resident there.
 */
function* withThreads(options: RunOptions, moment: Moment): Generator<void, Moment> {
  const rows = threadEnds(options.events, moment.end);
  if (rows.length === 0) return moment;
  const { resident } = yield* lookAt(options, rows);
  const most = Math.max(...resident);
  const which = resident.indexOf(most);
  const ended = counted(rows.length, 'thread');
  return {
    ...moment,
    about: `${moment.about}; ${ended} ended before: while ${theyText(rows.length, which)} lived ${bytes(most)} were resident, and other settings may help then (${atRow(rows[which]!)})`,
  };
}

/** Of so many threads those that are left when some have ended. */
function theyText(threads: number, gone: number): string {
  if (gone === 0) return threads === 1 ? 'it' : 'they';
  return threads - gone === 1 ? 'the last of them' : `the last ${threads - gone} of them`;
}

/** How to look at what was before the row. */
const atRow = (row: number): string => `--at #${Math.max(0, row - 1)}`;

/** Before each of the rows, which ascend: resident bytes, and what was counted until there. */
function* lookAt(
  options: RunOptions,
  rows: readonly number[],
): Generator<void, { readonly resident: readonly Bytes[]; readonly operations: readonly (readonly number[])[] }> {
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const { machine } = run.assembled;
  const resident: Bytes[] = [];
  const operations: number[][] = [];
  for (const row of rows) {
    yield* run.advanceInSteps(row);
    resident.push(machine.kernel.residency.residentPages() * PAGE_BYTES);
    operations.push([...machine.operations]);
  }
  return { resident, operations };
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
