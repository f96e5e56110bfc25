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
} from '../../../../sim/contract/event.ts';
import { hasOperation } from '../../../../sim/contract/operation-set.ts';
import { type FinalFrees, finalFrees, isRecorded } from './final-frees.ts';
import { type InterpreterEnd, interpreterEnd } from './interpreter-end.ts';
import { IDLE_NS } from './pauses.ts';

/** What ends a life, told from the events alone. */
export type ExitSign =
  /** The trace ends, and nothing in it says that the program did. */
  | { readonly by: 'end of the trace' }
  /** The event of that name: exit(), or main() returned. */
  | { readonly by: 'exit' }
  | { readonly by: 'interpreter'; readonly interpreter: InterpreterEnd }
  /** PHP's script has come to its end. */
  | { readonly by: 'script' }
  /** The end of a script's request; `frees` with which PHP takes the script's variables down before it. */
  | { readonly by: 'request'; readonly isOnly: boolean; readonly frees: FinalFrees | undefined }
  /** A recording that ends in frees. */
  | { readonly by: 'frees'; readonly frees: FinalFrees };

export interface ExitBegins {
  readonly row: number;
  readonly sign: ExitSign;
}

/** Where the program begins to exit, whatever it did before in order to. */
export function exitBegins(events: EventBuffer): ExitBegins {
  const script = scriptDone(events) ?? scriptEnd(events);
  if (script) return script;
  const interpreter = interpreterEnd(events);
  if (interpreter) return { row: interpreter.row, sign: { by: 'interpreter', interpreter } };
  if (events.exitRow >= 0) return { row: events.exitRow, sign: { by: 'exit' } };
  return tearDown(events) ?? { row: events.length, sign: { by: 'end of the trace' } };
}

/** A recorded PHP with one script (not a worker of many requests): behind it PHP frees what the script holds. */
function scriptDone({ head, a, labels, length }: EventBuffer): ExitBegins | undefined {
  const label = labels.indexOf('script 1 done');
  if (label < 0 || labels.includes('script 2 done')) return undefined;
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    if (op === OP_FORK) return undefined;
    if (op === OP_SAMPLE && a[row] === label) return { row, sign: { by: 'script' } };
  }
  return undefined;
}

/**
 * A script on the command line, whose exit frees everything: one request and nothing after its end; or in a recording of PHP's
 * command line, whose engine has requests of its own at its start and end, the last one that still held blocks.
 */
function scriptEnd(events: EventBuffer): ExitBegins | undefined {
  if (!hasOperation(events, OP_REQUEST_END)) return undefined;
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
  // A trace that says where it is from was not made up: PHP takes the variables of a script down before its request ends.
  const down = source === '' ? undefined : finalFrees(events, last);
  const frees = down?.callsBehind === 0 ? down : undefined;
  return { row: frees?.row ?? last, sign: { by: 'request', isOnly: requests === 1, frees } };
}

/**
 * A recording whose last events only free, and free most of what lives: what a program does as it exits. A sample of the
 * program's own among them says that it went on, and one that names a signal that it was ended at work. Traces that were not
 * recorded end where their author wanted.
 */
function tearDown(events: EventBuffer): ExitBegins | undefined {
  if (!isRecorded(events.source)) return undefined;
  const frees = finalFrees(events, events.length);
  if (!frees || frees.callsBehind > 0 || frees.idleNs > IDLE_NS) return undefined;
  return { row: frees.row, sign: { by: 'frees', frees } };
}
