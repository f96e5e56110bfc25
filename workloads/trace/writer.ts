import {
  type EventBuffer,
  MALLOPT_NAMES,
  MARK_FAILED,
  MARK_UNWRITTEN,
  markOf,
  OP_BITS,
  OP_CLOCK,
  OP_CTL,
  OP_MARKED,
  OP_MASK,
  OP_OPT,
  OP_SAMPLE,
  OP_SKIPPED,
  OP_THREAD_BEGIN,
} from '../../sim/contract/event.ts';
import { formatMallctl, unpackMallctl } from '../../sim/contract/mallctl.ts';
import { EVENT_FORMS } from './event-forms.ts';
import { factLines, formatFrame } from './header-lines.ts';
import { versionOf } from './version.ts';

/** How an operation's line looks: its name, whether an object follows the thread, how many of `a` and `b` then. */
interface LineForm {
  readonly name: string;
  readonly object: boolean;
  readonly numbers: number;
}

/** By operation; undefined where a line is like no other. */
const LINE_FORMS: readonly (LineForm | undefined)[] = lineForms();

function lineForms(): (LineForm | undefined)[] {
  const forms: (LineForm | undefined)[] = [];
  for (const { op, name, fields } of EVENT_FORMS) {
    if (fields === 'own') continue;
    const [subject, ...numbers] = fields.split(' ');
    forms[op] = { name, object: subject === 'object', numbers: numbers.length };
  }
  // An event that was left out keeps its number: the thread is alive, so this line does nothing.
  forms[OP_SKIPPED] = forms[OP_THREAD_BEGIN];
  return forms;
}

const CHUNK_BYTES = 1 << 18;
const LINE_BYTES_MAX = 120;
const SPACE = 32;
const LF = 10;
/**
 * The text form. Objects are named by their slots, threads by their numbers; reading it again gives the same buffer,
 * since slots are given out by the same rule.
 */
export function* formatTrace(events: EventBuffer): Generator<Uint8Array> {
  const { head, slot, a, b, length, begins, labels, marks, sites, observations } = events;
  const bytes = new Uint8Array(CHUNK_BYTES);
  const digits = new Uint8Array(20);
  const threadId: number[] = [0];
  let nextBegin = 0;
  let nextObservation = 0;
  let at = 0;

  function text(value: string): void {
    for (let i = 0; i < value.length; i++) bytes[at++] = value.charCodeAt(i);
  }

  function number(value: number): void {
    bytes[at++] = SPACE;
    digitsOf(value);
  }

  function digitsOf(value: number): void {
    let n = 0;
    let rest = value;
    do {
      const quotient = Math.floor(rest / 10);
      digits[n++] = 48 + (rest - quotient * 10);
      rest = quotient;
    } while (rest > 0);
    while (n > 0) bytes[at++] = digits[--n]!;
  }

  function observationLine(row: number): string {
    if (observations[nextObservation]?.row !== row) return '';
    return `\n! ${observations[nextObservation++]!.values.flat().join(' ')}`;
  }

  /** The arguments of a row with a mark, and what the mark says. */
  function marked(row: number, form: LineForm): void {
    const place = markOf(marks, row);
    const flags = marks.flags[place]!;
    if (form.object) number(slot[row]!);
    if (form.numbers > 0) number(marks.a[place]!);
    if (form.numbers > 1) number(marks.b[place]!);
    if ((flags & MARK_UNWRITTEN) !== 0) text(' ~');
    if ((flags & MARK_FAILED) !== 0) text(' !');
  }

  for (const line of headerLines(events)) yield new TextEncoder().encode(`${line}\n`);
  for (let row = 0; row < length; row++) {
    if (at > CHUNK_BYTES - LINE_BYTES_MAX) {
      yield bytes.slice(0, at);
      at = 0;
    }
    for (; nextBegin < begins.length && begins[nextBegin]!.row === row; nextBegin++) {
      threadId[begins[nextBegin]!.thread] = begins[nextBegin]!.id;
    }
    const op = head[row]! & OP_MASK;
    const form = LINE_FORMS[op];
    if (form) {
      text(form.name);
      number(threadId[head[row]! >>> OP_BITS]!);
      if ((head[row]! & OP_MARKED) !== 0) {
        marked(row, form);
      } else {
        if (form.object) number(slot[row]!);
        if (form.numbers > 0) number(a[row]!);
        if (form.numbers > 1) number(b[row]!);
      }
      if (sites && sites[row] !== 0) {
        text(' @');
        digitsOf(sites[row]!);
      }
    } else if (op === OP_CLOCK) {
      text('+');
      number(b[row]! * 2 ** 32 + a[row]!);
    } else if (op === OP_OPT) {
      text('opt');
      number(threadId[head[row]! >>> OP_BITS]!);
      text(` ${MALLOPT_NAMES[slot[row]!]!} ${a[row]! | 0}`);
    } else if (op === OP_CTL) {
      text('ctl');
      number(threadId[head[row]! >>> OP_BITS]!);
      text(` ${formatMallctl(unpackMallctl(a[row]!, b[row]!)!)}`);
    } else {
      yield bytes.slice(0, at);
      at = 0;
      if (op === OP_SAMPLE) {
        yield new TextEncoder().encode(`= ${labels[a[row]!]!}${observationLine(row)}`);
      }
    }
    bytes[at++] = LF;
  }
  if (at > 0) yield bytes.slice(0, at);
}

function* headerLines(events: EventBuffer): Generator<string> {
  const { touch, name, source, recorded, frames, siteParent, siteFrame } = events;
  yield `%htrace ${versionOf(events)}`;
  if (touch !== 'full') yield `%touch ${touch}`;
  if (name !== '') yield `%name ${name}`;
  if (source !== '') yield `%source ${source}`;
  yield* factLines(recorded);
  for (let frame = 1; frame < frames.length; frame++) yield `%frame ${frame} ${formatFrame(frames[frame]!)}`;
  for (let site = 1; site < siteFrame.length; site++) yield `%site ${site} ${siteParent[site]!} ${siteFrame[site]!}`;
}
