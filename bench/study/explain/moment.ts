import {
  type EventBuffer,
  OP_FORK,
  OP_FREE,
  OP_MASK,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SHUTDOWN,
  OP_THREAD_EXIT,
} from '../../../sim/contract/event.ts';
import { counted } from '../../../sim/contract/format.ts';
import { isEndedBySignal } from '../../../workloads/recorder/end-label.ts';
import { idleAtExit } from '../../../workloads/trace/idle-at-exit.ts';
import { rowsUntil } from '../../run/stop-point.ts';
import { type FinalEnds, finalEnds } from './final-ends.ts';
import { type FinalFrees, finalFrees, isRecorded } from './final-frees.ts';
import { type InterpreterEnd, interpreterEnd } from './interpreter-end.ts';
import { AT_ONCE_NS, IDLE_NS } from './pauses.ts';

/** The point of a run that is judged. */
export interface Moment {
  readonly kind: 'label' | 'event' | 'peak' | 'exit' | 'end';
  /** Events executed. */
  readonly end: number;
  /** Which moment it is and how it was found: completes "Judged …". */
  readonly about: string;
  /** Where an interpreter takes itself down. */
  readonly interpreter?: InterpreterEnd;
}

const KEYWORDS: readonly string[] = ['peak', 'exit', 'end'];

/**
 * `at`: a sample's label, `#N`, or one of `peak`, `exit`, `end` where no sample is labelled so; by default the last moment
 * before the exit began, where that is known or can be told, else the end. undefined where the events alone do not tell.
 */
export function momentFromEvents(events: EventBuffer, at: string | undefined): Moment | undefined {
  if (at !== undefined && (!KEYWORDS.includes(at) || events.labels.includes(at))) {
    const end = rowsUntil(events, at, KEYWORDS);
    return at.startsWith('#')
      ? { kind: 'event', end, about: `after event ${at.slice(1)}` }
      : { kind: 'label', end, about: `at the sample '${at}'` };
  }
  if (at === 'peak') return undefined;
  if (at === 'end') return endMoment(events);
  if (at !== undefined) return exitMoment(events);
  const work = lastWork(events);
  const last = localsDying(events, work);
  if (!last) return work.moment;
  return last.idleNs <= AT_ONCE_NS && last.callsBehind === 0 ? beforeFrees(last, work, '') : undefined;
}

/** Where the program's work is done. */
export interface LastWork {
  readonly moment: Moment;
  /** What it then begins. */
  readonly exit: Moment;
  /** Ends of threads with which it goes down to the exit: then the moment is before them. */
  readonly ends: FinalEnds | undefined;
}

/** Before the exit, and before the ends of threads with which the program goes down to it. */
export function lastWork(events: EventBuffer): LastWork {
  const exit = exitMoment(events);
  const ends = exit.kind === 'exit' && isRecorded(events.source) ? finalEnds(events, exit.end) : undefined;
  if (!ends || goesOn(events, exit, ends)) return { moment: exit, exit, ends: undefined };
  const { frees, callsBehind } = ends;
  const beside = [
    ...(frees > 0 ? [counted(frees, 'free')] : []),
    ...(callsBehind > 0 ? [counted(callsBehind, 'other call')] : []),
  ];
  const behind = beside.length > 0 ? `${beside.join(' and ')} behind; ` : '';
  const about = `before ${endsText(ends)}, with which the program goes down (${behind}--at exit judges after them)`;
  return { moment: { kind: 'exit', end: ends.row, about }, exit, ends };
}

/** Whether the program frees most of what lives once its threads have ended, and then lives on. */
function goesOn(events: EventBuffer, exit: Moment, { lastRow }: FinalEnds): boolean {
  const last = localsDying(events, { moment: exit, exit, ends: undefined });
  return last !== undefined && last.row > lastRow && last.idleNs > IDLE_NS;
}

const endsText = ({ threadEnds }: FinalEnds): string =>
  threadEnds === 1 ? 'the end of 1 thread' : `the ends of ${counted(threadEnds, 'thread')}`;

export function exitMoment(events: EventBuffer): Moment {
  const script = scriptDone(events) ?? scriptEnd(events);
  if (script) return script;
  const interpreter = interpreterEnd(events);
  if (interpreter) return { kind: 'exit', end: interpreter.row, about: interpreter.about, interpreter };
  if (events.exitRow >= 0) return { kind: 'exit', end: events.exitRow, about: EXIT_BEGINS };
  return tearDown(events) ?? endMoment(events);
}

function endMoment({ length, labels, source }: EventBuffer): Moment {
  const last = labels.at(-1) ?? '';
  const how = isRecorded(source) && isEndedBySignal(last) ? `, where the program was ${last}` : '';
  return { kind: 'end', end: length, about: `${AT_END}${how}` };
}

export const AT_END = 'at the end of the trace';
export const EXIT_BEGINS = 'just before the program began to exit';

/** The frees right before it goes down, where nothing else tells of them. */
export function localsDying(events: EventBuffer, { moment, exit, ends }: LastWork): FinalFrees | undefined {
  const { interpreter } = exit;
  if ((exit.about !== EXIT_BEGINS && !interpreter) || !isRecorded(events.source)) return undefined;
  const last = finalFrees(events, Math.min(moment.end, interpreter?.begun ?? Infinity));
  if (!last || last.callsBehind > 0 || ends || interpreter) return last;
  return { ...last, idleNs: Math.min(last.idleNs, idleAtExit(events)) };
}

export function freesText({ frees, threadEnds, callsBehind }: FinalFrees): string {
  const threads = threadEnds > 0 ? ` and ends of ${counted(threadEnds, 'thread')} between` : '';
  return callsBehind === 0
    ? `the last ${frees === 1 ? 'free' : counted(frees, 'free')}${threads}`
    : `${counted(frees, 'free')}${threads} (and ${counted(callsBehind, 'other call')} behind them)`;
}

const betweenText = ({ words }: FinalFrees): string => (words === 0 ? 'no allocation' : 'no allocation that stays');

export function beforeFrees(last: FinalFrees, { ends, exit }: LastWork, left: string): Moment {
  const [what, meaning] = ends
    ? [`${endsText(ends)}, with which the program goes down`, 'the end of their work']
    : [exit.interpreter ? `${exit.interpreter.name} takes itself down` : 'the exit', 'the end of main()'];
  const about = `before ${freesText(last)}, with ${betweenText(last)} between, that ${last.frees === 1 ? 'comes' : 'come'} right before ${what}${left}: taken for ${meaning} (--at exit judges after ${last.frees === 1 ? 'it' : 'them'})`;
  return { kind: 'exit', end: last.row, about };
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
function scriptEnd(events: EventBuffer): Moment | undefined {
  const { head, b, length, recorded, source } = events;
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
  // A trace that says where it is from was not made up: PHP takes the variables of a script down before its request ends.
  const down = source === '' ? undefined : finalFrees(events, last);
  if (down && down.callsBehind === 0) {
    const about = `before the ${counted(down.frees, 'free')}, with ${betweenText(down)} between, with which ${which} ends: taken for PHP's end of a script`;
    return { kind: 'exit', end: down.row, about };
  }
  return { kind: 'exit', end: last, about: `just before the end of ${which}, with which a script exits` };
}

/**
 * A recording whose last events only free, and free most of what lives: what a program does as it exits. A sample of the
 * program's own among them says that it went on, and one that names a signal that it was ended at work. Traces that were not
 * recorded end where their author wanted.
 */
function tearDown(events: EventBuffer): Moment | undefined {
  if (!isRecorded(events.source)) return undefined;
  const last = finalFrees(events, events.length);
  if (!last || last.callsBehind > 0 || last.idleNs > IDLE_NS) return undefined;
  return {
    kind: 'exit',
    end: last.row,
    about: `before the ${counted(last.frees, 'free')}, with ${betweenText(last)} between, with which the recording ends: taken for the program's exit`,
  };
}
