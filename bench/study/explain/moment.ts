import '../../../allocators/all.ts';
import {
  type EventBuffer,
  isAllocating,
  OP_EFREE,
  OP_FORK,
  OP_FREE,
  OP_MASK,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SHUTDOWN,
  OP_THREAD_EXIT,
} from '../../../sim/contract/event.ts';
import { count } from '../../../sim/contract/format.ts';
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

/** A recording that frees less than this share of the blocks that lived is not torn down. */
const TORN_DOWN = 0.5;
const PEAK_STEPS = 256;

/**
 * `at`: a sample's label, `#N`, or one of `peak`, `exit`, `end` where no sample is labelled so; by default the last moment
 * before the exit began, where that is known or can be told, else the end.
 */
export function momentOf(options: RunOptions, at: string | undefined): Moment {
  const { events } = options;
  const isKeyword = at === undefined || at === 'exit' || at === 'peak' || at === 'end';
  if (!isKeyword || events.labels.includes(at ?? '')) {
    const end = rowsUntil(events, at);
    return at!.startsWith('#')
      ? { kind: 'event', end, about: `after event ${at!.slice(1)}` }
      : { kind: 'label', end, about: `at the sample '${at}'` };
  }
  if (at === 'peak') return peakMoment(options);
  if (at === 'end') return { kind: 'end', end: events.length, about: 'at the end of the trace' };
  return exitMoment(events);
}

function exitMoment(events: EventBuffer): Moment {
  const script = scriptDone(events) ?? scriptEnd(events);
  if (script) return script;
  if (events.exitRow >= 0) return { kind: 'exit', end: events.exitRow, about: 'just before the program began to exit' };
  return tearDown(events) ?? { kind: 'end', end: events.length, about: 'at the end of the trace' };
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
  const { head, labels, a, length } = events;
  if (!events.source.startsWith('recorded')) return undefined;
  let frees = 0;
  let row = length;
  for (; row > 0; row--) {
    const op = head[row - 1]! & OP_MASK;
    if (op === OP_FREE || op === OP_EFREE) frees++;
    else if (op === OP_SAMPLE ? labels[a[row - 1]!] !== 'end' : isAllocating(op)) break;
  }
  while (row < length && (head[row]! & OP_MASK) !== OP_FREE && (head[row]! & OP_MASK) !== OP_EFREE) row++;
  if (frees === 0 || frees < TORN_DOWN * liveAt(events, row)) return undefined;
  return {
    kind: 'exit',
    end: row,
    about: `before the ${count(frees)} frees, with no allocation between, with which the recording ends: taken for the program's exit`,
  };
}

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
