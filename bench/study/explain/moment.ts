import '../../../allocators/all.ts';
import {
  type EventBuffer,
  isAllocating,
  OP_CLOCK,
  OP_EFREE,
  OP_EXIT,
  OP_FORK,
  OP_FREE,
  OP_MASK,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SHUTDOWN,
  OP_SKIPPED,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
} from '../../../sim/contract/event.ts';
import { bytes, count } from '../../../sim/contract/format.ts';
import { type Ns, PAGE_BYTES } from '../../../sim/contract/units.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { rowsUntil } from '../../run/stop-point.ts';

/** The point of a run that is judged. */
export interface Moment {
  readonly kind: 'label' | 'event' | 'peak' | 'exit' | 'end';
  /** Events executed. */
  readonly end: number;
  /** Which moment it is and how it was found: completes "Judged …". */
  readonly about: string;
}

const KEYWORDS: readonly string[] = ['peak', 'exit', 'end'];
/** A recording that frees less than this share of the blocks that lived is not torn down. */
const TORN_DOWN = 0.5;
/** A program that lives on for longer than this after its frees has not freed in order to exit. */
const IDLE_NS: Ns = 1_000_000;
/** Behind its frees it has not made a system call worth the name: recordings put steps of the clock below 10 us together. */
const AT_ONCE_NS: Ns = 20_000;
/** What lies between frees and is nothing that a program does with its memory. */
const PASSING: ReadonlySet<number> = new Set([OP_CLOCK, OP_THREAD_BEGIN, OP_THREAD_EXIT, OP_SKIPPED, OP_EXIT]);
/** Frees that leave less than this share resident have emptied the heap. */
const EMPTIED = 0.5;
const PEAK_STEPS = 256;

/**
 * `at`: a sample's label, `#N`, or one of `peak`, `exit`, `end` where no sample is labelled so; by default the last moment
 * before the exit began, where that is known or can be told, else the end.
 */
export function momentOf(options: RunOptions, at: string | undefined): Moment {
  const { events } = options;
  if (at !== undefined && (!KEYWORDS.includes(at) || events.labels.includes(at))) {
    const end = rowsUntil(events, at, KEYWORDS);
    return at.startsWith('#')
      ? { kind: 'event', end, about: `after event ${at.slice(1)}` }
      : { kind: 'label', end, about: `at the sample '${at}'` };
  }
  if (at === 'peak') return peakMoment(options);
  if (at === 'end') return { kind: 'end', end: events.length, about: 'at the end of the trace' };
  return at === undefined ? beforeLocalsDied(options, exitMoment(events)) : exitMoment(events);
}

/** Whether the moment is told from the events alone, without a run. */
export function isKnownFromEvents(events: EventBuffer, at: string | undefined): boolean {
  if (at === 'peak') return events.labels.includes('peak');
  if (at !== undefined || events.exitRow < 0) return true;
  const last = finalFrees(events, events.exitRow);
  return last === undefined || last.idleNs <= AT_ONCE_NS;
}

function exitMoment(events: EventBuffer): Moment {
  const script = scriptDone(events) ?? scriptEnd(events);
  if (script) return script;
  if (events.exitRow >= 0) return { kind: 'exit', end: events.exitRow, about: EXIT_BEGINS };
  return tearDown(events) ?? { kind: 'end', end: events.length, about: 'at the end of the trace' };
}

const EXIT_BEGINS = 'just before the program began to exit';

/**
 * Where main() frees what it holds and does nothing more, as C++ does with its locals, the exit finds a heap of the dead: the moment
 * before these frees is judged. So it is where the program does a little more and the heap is nearly empty.
 */
function beforeLocalsDied(options: RunOptions, exit: Moment): Moment {
  const { events } = options;
  if (exit.about !== EXIT_BEGINS) return exit;
  const last = finalFrees(events, exit.end);
  if (!last) return exit;
  const frees = `the last ${count(last.frees)} frees`;
  const before = (left: string): Moment => ({
    kind: 'exit',
    end: last.row,
    about: `before ${frees}, with no allocation between, that come right before the exit${left}: taken for the end of main() (--at exit judges after them)`,
  });
  if (last.idleNs <= AT_ONCE_NS) return before('');
  const run = new LockstepRun({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const { residency } = run.assembled.machine.kernel;
  run.advance(last.row);
  const living = residency.residentPages();
  run.advance(exit.end);
  const left = residency.residentPages();
  const leave = ` and leave ${bytes(left * PAGE_BYTES)} of ${bytes(living * PAGE_BYTES)}`;
  if (left < living * EMPTIED) return before(leave);
  const at = `(--at #${Math.max(0, last.row - 1)} judges before them)`;
  return { ...exit, about: `${EXIT_BEGINS}, after ${frees}, which come shortly before it${leave} ${at}` };
}

/** A recorded PHP with one script (not a worker of many requests): behind it PHP frees what the script holds. */
function scriptDone({ head, a, labels, length }: EventBuffer): Moment | undefined {
  const label = labels.indexOf('script 1 done');
  if (label < 0 || labels.includes('script 2 done')) return undefined;
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    if (op === OP_FORK) return undefined;
    if (op === OP_SAMPLE && a[row] === label) {
      return { kind: 'exit', end: row, about: 'when its script was done, before PHP frees what it holds' };
    }
  }
  return undefined;
}

/**
 * A script on the command line, whose exit frees everything: one request and nothing after its end; or in a recording of PHP's
 * command line, whose engine has requests of its own at its start and end, the last one that still held blocks.
 */
function scriptEnd({ head, b, length, recorded }: EventBuffer): Moment | undefined {
  const isCommandLine = /^php[\d.]*( |$)/.test(recorded.command);
  let requests = 0;
  let last = -1;
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    if (op === OP_REQUEST_BEGIN) requests++;
    else if (op === OP_REQUEST_END) last = isCommandLine && b[row] === 0 && last >= 0 ? last : row;
    else if (isCommandLine || last < 0) continue;
    else if (op !== OP_SAMPLE && op !== OP_FREE && op !== OP_THREAD_EXIT && op !== OP_SHUTDOWN) return undefined;
  }
  if (last < 0 || (requests !== 1 && !isCommandLine)) return undefined;
  const which = requests === 1 ? 'its only request' : 'the script’s request';
  return { kind: 'exit', end: last, about: `just before the end of ${which}, with which a script exits` };
}

/**
 * A recording whose last events only free, and free most of what lives: what a program does as it exits. A sample of the
 * program's own among them says that it went on. Traces that were not recorded end where their author wanted.
 */
function tearDown(events: EventBuffer): Moment | undefined {
  const last = finalFrees(events, events.length);
  return (
    last && {
      kind: 'exit',
      end: last.row,
      about: `before the ${count(last.frees)} frees, with no allocation between, with which the recording ends: taken for the program's exit`,
    }
  );
}

/** The frees of most of what lives, right before row `end` and with nothing else between, and the row of the first. */
function finalFrees(
  events: EventBuffer,
  end: number,
): { readonly row: number; readonly frees: number; readonly idleNs: Ns } | undefined {
  const { head, labels, a, b } = events;
  if (!events.source.startsWith('recorded')) return undefined;
  let frees = 0;
  let idleNs = 0;
  let row = end;
  for (; row > 0; row--) {
    const op = head[row - 1]! & OP_MASK;
    if (op === OP_FREE || op === OP_EFREE) frees++;
    else if (op === OP_CLOCK && frees === 0) idleNs += b[row - 1]! * 2 ** 32 + a[row - 1]!;
    else if (op === OP_SAMPLE ? !isRecorders(labels[a[row - 1]!]!) : !PASSING.has(op)) break;
  }
  if (idleNs > IDLE_NS) return undefined;
  while (row < end && (head[row]! & OP_MASK) !== OP_FREE && (head[row]! & OP_MASK) !== OP_EFREE) row++;
  return frees === 0 || frees < TORN_DOWN * liveAt(events, row) ? undefined : { row, frees, idleNs };
}

/** Labels of the recorder's own: the exit, the end, and points spread over the events. */
const isRecorders = (label: string): boolean => label === 'end' || label === 'exit' || /^s\d+$/.test(label);

function liveAt({ head, slot, objectSlots }: EventBuffer, end: number): number {
  const live = new Uint8Array(objectSlots);
  for (let row = 0; row < end; row++) {
    const op = head[row]! & OP_MASK;
    if (isAllocating(op)) live[slot[row]!] = 1;
    else if (op === OP_FREE || op === OP_EFREE) live[slot[row]!] = 0;
  }
  return live.reduce((sum, one) => sum + one, 0);
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
