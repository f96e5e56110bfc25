import {
  OP_CALLOC,
  OP_CLOCK,
  OP_CREATE,
  OP_CTL,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_EXIT,
  OP_FORK,
  OP_FREE,
  OP_GC,
  OP_JOIN,
  OP_MALLOC,
  OP_MEMALIGN,
  OP_OPT,
  OP_REALLOC,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SAMPLE,
  OP_SHUTDOWN,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
} from '../../sim/contract/event.ts';

/** How an event stands in the text form: docs/trace-format.md. */
export interface EventForm {
  readonly op: number;
  readonly name: string;
  /** The version of the format that it came with. */
  readonly version: 1 | 2;
  readonly fields: Fields;
}

/** What follows the name: a thread, an object, and so many of `a` and `b`; or what only this event has. */
export type Fields = 'own' | 'thread' | 'thread a' | 'thread a b' | 'object' | 'object a' | 'object a b';

/** The events in the order in which messages list them. */
export const EVENT_FORMS: readonly EventForm[] = [
  form(OP_MALLOC, 'm', 1, 'object a'),
  form(OP_CALLOC, 'c', 1, 'object a b'),
  form(OP_REALLOC, 'r', 1, 'object a'),
  form(OP_MEMALIGN, 'a', 1, 'object a b'),
  form(OP_FREE, 'f', 1, 'object'),
  form(OP_EMALLOC, 'em', 1, 'object a'),
  form(OP_ECALLOC, 'ec', 1, 'object a b'),
  form(OP_EREALLOC, 'er', 1, 'object a'),
  form(OP_EFREE, 'ef', 1, 'object'),
  form(OP_REQUEST_BEGIN, 'eb', 1, 'thread'),
  form(OP_REQUEST_END, 'ee', 1, 'thread'),
  form(OP_WRITE, 'w', 1, 'object a b'),
  form(OP_THREAD_BEGIN, 'tb', 1, 'thread'),
  form(OP_THREAD_EXIT, 'te', 1, 'thread'),
  form(OP_CREATE, 'tc', 2, 'thread a'),
  form(OP_JOIN, 'tj', 2, 'thread a b'),
  form(OP_EXIT, 'exit', 2, 'thread'),
  form(OP_FORK, 'fork', 2, 'thread'),
  form(OP_GC, 'gc', 2, 'thread'),
  form(OP_SHUTDOWN, 'es', 2, 'thread'),
  form(OP_TRIM, 'trim', 1, 'thread a'),
  form(OP_OPT, 'opt', 1, 'own'),
  form(OP_CTL, 'ctl', 2, 'own'),
];

/** Those whose name is a sign, and which no thread makes. */
export const SIGNS: readonly EventForm[] = [form(OP_CLOCK, '+', 1, 'own'), form(OP_SAMPLE, '=', 1, 'own')];

function form(op: number, name: string, version: 1 | 2, fields: Fields): EventForm {
  return { op, name, version, fields };
}
