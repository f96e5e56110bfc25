import type { EventBuffer } from '../../../../sim/contract/event.ts';
import { counted } from '../../../../sim/contract/format.ts';
import { isEndedBySignal } from '../../../../workloads/recorder/end-label.ts';
import type { ExitBegins, ExitSign } from './exit-begins.ts';
import type { FinalEnds } from './final-ends.ts';
import { type FinalFrees, isRecorded } from './final-frees.ts';
import type { GoingDown } from './going-down.ts';

export const AT_END = 'at the end of the trace';
const EXIT_BEGINS = 'just before the program began to exit';

/** Which moment it is and how it was found: completes "Judged …". `left`: what the frees leave, where a run was needed to tell. */
export function reasonText(down: GoingDown, events: EventBuffer, left = ''): string {
  if (down.areLocals) return localsText(down, down.frees!, left);
  return down.ends ? endsText(down.ends) : exitText(down.exit, events);
}

/** Where the program begins to exit, whatever it did before. */
export function exitText({ sign }: ExitBegins, events: EventBuffer): string {
  switch (sign.by) {
    case 'end of the trace':
      return endText(events);
    case 'exit':
      return EXIT_BEGINS;
    case 'interpreter':
      return `when ${sign.interpreter.name} began to take itself down (${sign.interpreter.label}), before the exit (--at exit judges after it)`;
    case 'script':
      return 'when its script was done, before PHP frees what it holds';
    case 'request':
      return requestText(sign);
    case 'frees':
      return `${beforeText(sign.frees)}, with which the recording ends: taken for the program's exit`;
  }
}

export function endText({ labels, source }: EventBuffer): string {
  const last = labels.at(-1) ?? '';
  return isRecorded(source) && isEndedBySignal(last) ? `${AT_END}, where the program was ${last}` : AT_END;
}

function requestText({ isOnly, frees }: Extract<ExitSign, { by: 'request' }>): string {
  const which = isOnly ? 'its only request' : 'the last request that held blocks';
  if (frees) return `${beforeText(frees)}, with which ${which} ends: taken for PHP's end of a script`;
  const whose = isOnly ? 'with which a script exits' : 'a script’s, or the last one that a server answered';
  return `just before the end of ${which}, ${whose}`;
}

const beforeText = (frees: FinalFrees): string =>
  `before the ${counted(frees.frees, 'free')}, with ${betweenText(frees)} between`;

function endsText(ends: FinalEnds): string {
  const { frees, callsBehind } = ends;
  const beside = [
    ...(frees > 0 ? [counted(frees, 'free')] : []),
    ...(callsBehind > 0 ? [counted(callsBehind, 'other call')] : []),
  ];
  const behind = beside.length > 0 ? `${beside.join(' and ')} behind; ` : '';
  return `before ${threadsText(ends)}, with which the program goes down (${behind}--at exit judges after them)`;
}

const threadsText = ({ threadEnds }: FinalEnds): string =>
  threadEnds === 1 ? 'the end of 1 thread' : `the ends of ${counted(threadEnds, 'thread')}`;

function localsText({ exit: { sign }, ends }: GoingDown, last: FinalFrees, left: string): string {
  const [what, meaning] = ends
    ? [`${threadsText(ends)}, with which the program goes down`, 'the end of their work']
    : sign.by === 'interpreter'
      ? [`${sign.interpreter.name} takes itself down`, 'the end of the script']
      : ['the exit', 'the end of main()'];
  const one = last.frees === 1;
  return `before ${freesText(last)}, with ${betweenText(last)} between, that ${one ? 'comes' : 'come'} right before ${what}${left}: taken for ${meaning} (--at exit judges after ${one ? 'it' : 'them'})`;
}

export function freesText({ frees, threadEnds, callsBehind }: FinalFrees): string {
  const threads = threadEnds > 0 ? ` and ends of ${counted(threadEnds, 'thread')} between` : '';
  return callsBehind === 0
    ? `the last ${frees === 1 ? 'free' : counted(frees, 'free')}${threads}`
    : `${counted(frees, 'free')}${threads} (and ${counted(callsBehind, 'other call')} behind them)`;
}

const betweenText = ({ words }: FinalFrees): string => (words === 0 ? 'no allocation' : 'no allocation that stays');
