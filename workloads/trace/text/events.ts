import {
  MALLOPT_NAMES,
  type MalloptName,
  NUMBER_MAX,
  OP_CALLOC,
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
  OP_REALLOC,
  OP_REQUEST_BEGIN,
  OP_REQUEST_END,
  OP_SHUTDOWN,
  OP_THREAD_BEGIN,
  OP_THREAD_EXIT,
  OP_TRIM,
  OP_WRITE,
} from '../../../sim/contract/event.ts';
import { isValueOf, MALLCTL_NAMES, type Mallctl, parseMallctlName, setsValue } from '../../../sim/contract/mallctl.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { NUMBER_LIMIT, THREAD_ID_MAX, U32_MAX } from '../compiler/limits.ts';
import { FINE, type Refusal } from '../compiler/refusal.ts';
import type { TraceCompiler } from '../compiler/trace-compiler.ts';
import { EVENT_FORMS, SIGNS } from '../event-forms.ts';
import type { Line } from './line.ts';

const SPACE = 32;
const EXCLAMATION = 33;
const PLUS = 43;
const EQUALS = 61;
const AT = 64;
const TILDE = 126;

/** What stands for an event's name: its bytes as one number. */
const NAME_BYTES_MAX = 4;
const keyOf = (name: string) => [...name].reduce((key, letter) => (key << 8) | letter.charCodeAt(0), 0);
const OPERATIONS = [1, 2].map(
  (version) => new Map(EVENT_FORMS.filter((f) => f.version <= version).map((f) => [keyOf(f.name), f.op])),
);
const EXPECTED = [1, 2].map((version) => {
  const names = [...EVENT_FORMS.filter((form) => form.version <= version), ...SIGNS].map(({ name }) => name);
  if (version > 1) names.push('!');
  return `an event: ${names.slice(0, -1).join(', ')} or ${names.at(-1)!}`;
});

/** Lines behind the headers, one after the other: each an event, or what the kernel said at a sample. */
export interface EventReader {
  /** Reads the line and hands over its event. Says why the compiler refused it; a line that is malformed it leaves by `fail`. */
  read(): Refusal;
}

export function createEventReader(
  line: Line,
  compiler: TraceCompiler,
  version: 1 | 2,
  onNote: ((line: number, text: string) => void) | undefined,
): EventReader {
  const operations = OPERATIONS[version - 1]!;

  const thread = () => line.count(THREAD_ID_MAX, 'a thread number');

  function object(): number {
    const id = line.count(U32_MAX, 'an object id');
    line.objectStart = line.fieldStart;
    return id;
  }

  function size(what = 'a size in bytes'): number {
    if (version > 1) return line.count(NUMBER_MAX, what);
    const value = line.count(NUMBER_LIMIT, what);
    if (value > U32_MAX) {
      line.fail('block-size', line.fieldStart, line.quoted(line.fieldStart), `${what}, at most ${U32_MAX}`);
    }
    return value;
  }

  /** ` ~`, ` !` and ` @S` behind an allocating event of version 2. */
  function endOfAllocation(): void {
    line.skipSpaces();
    if (line.isAtEnd || version === 1) {
      line.endOfLine();
      return;
    }
    const unwritten = isMark(TILDE);
    const failed = isMark(EXCLAMATION);
    const site = line.isNext(AT) ? siteNumber() : 0;
    line.endOfLine();
    compiler.annotate({ site, failed, unwritten });
  }

  function isMark(sign: number): boolean {
    if (!line.isNext(sign) || line.fieldEnd(line.at) !== line.at + 1) return false;
    line.at++;
    line.skipSpaces();
    return true;
  }

  function siteNumber(): number {
    line.at++;
    if (line.isNext(SPACE)) {
      line.fail('number-malformed', line.at - 1, line.quoted(line.at - 1), '@ and a site number');
    }
    return line.count(U32_MAX, 'a site number');
  }

  function read(): Refusal {
    const start = line.at;
    const first = line.text[start]!;
    if (first === PLUS) return clock();
    if (first === EQUALS) return sample(start);
    if (first === EXCLAMATION && version > 1) return observation(start);
    line.at = line.fieldEnd(start);
    const op = line.at - start <= NAME_BYTES_MAX ? operations.get(nameKey(start)) : undefined;
    if (op === undefined) line.fail('event-unknown', start, line.quoted(start), EXPECTED[version - 1]!);
    const t = thread();
    if (op <= OP_EREALLOC) return aboutBlock(op, t);
    other(op, t);
    return FINE;
  }

  function nameKey(start: number): number {
    let key = 0;
    for (let i = start; i < line.at; i++) key = (key << 8) | line.text[i]!;
    return key;
  }

  function clock(): Refusal {
    line.at++;
    const ns = line.count(NUMBER_LIMIT - 1, 'nanoseconds');
    line.endOfLine();
    line.objectStart = line.fieldStart;
    return compiler.clock(ns);
  }

  function sample(start: number): Refusal {
    line.at++;
    if (!line.isAtEnd && !line.isNext(SPACE))
      line.fail('event-unknown', start, line.quoted(start), '= and a label behind a space');
    compiler.sample(line.rest());
    return FINE;
  }

  function aboutBlock(op: number, t: number): Refusal {
    const id = object();
    switch (op) {
      case OP_FREE:
        line.endOfLine();
        return compiler.free(t, id);
      case OP_EFREE:
        line.endOfLine();
        return compiler.efree(t, id);
      case OP_WRITE: {
        const offset = size('an offset in bytes');
        const length = size('a length in bytes');
        line.endOfLine();
        return compiler.write(t, id, offset, length);
      }
      case OP_CALLOC:
      case OP_ECALLOC: {
        const count = size('a count');
        const each = size();
        endOfAllocation();
        return op === OP_CALLOC ? compiler.calloc(t, id, count, each) : compiler.ecalloc(t, id, count, each);
      }
      case OP_MEMALIGN: {
        const align = size('an alignment');
        const bytes = size();
        endOfAllocation();
        return compiler.memalign(t, id, align, bytes);
      }
      default: {
        const bytes = size();
        endOfAllocation();
        return sized(op, t, id, bytes);
      }
    }
  }

  function sized(op: number, t: number, id: number, bytes: number): Refusal {
    switch (op) {
      case OP_MALLOC:
        return compiler.malloc(t, id, bytes);
      case OP_REALLOC:
        return compiler.realloc(t, id, bytes);
      case OP_EMALLOC:
        return compiler.emalloc(t, id, bytes);
      default:
        return compiler.erealloc(t, id, bytes);
    }
  }

  function other(op: number, t: number): void {
    switch (op) {
      case OP_TRIM: {
        const pad = size('a pad in bytes');
        line.endOfLine();
        compiler.trim(t, pad);
        break;
      }
      case OP_CREATE: {
        const created = thread();
        line.endOfLine();
        compiler.threadCreate(t, created);
        break;
      }
      case OP_JOIN: {
        const joined = thread();
        const ns = line.count(U32_MAX, 'nanoseconds');
        line.endOfLine();
        compiler.threadJoin(t, joined, ns);
        break;
      }
      case OP_CTL:
        compiler.mallctl(t, mallctl());
        break;
      case OP_REQUEST_BEGIN:
      case OP_REQUEST_END:
      case OP_THREAD_BEGIN:
      case OP_THREAD_EXIT:
      case OP_EXIT:
      case OP_FORK:
      case OP_GC:
      case OP_SHUTDOWN:
        line.endOfLine();
        ofThread(op, t);
        break;
      default:
        mallopt(t);
    }
  }

  /** Events that say no more than who. */
  function ofThread(op: number, t: number): void {
    switch (op) {
      case OP_REQUEST_BEGIN:
        compiler.requestBegin(t);
        break;
      case OP_REQUEST_END:
        compiler.requestEnd(t);
        break;
      case OP_THREAD_BEGIN:
        if (compiler.isAlive(t)) onNote?.(line.number, `thread ${t} begins, though it has begun already; ignored`);
        compiler.threadBegin(t);
        break;
      case OP_THREAD_EXIT:
        if (t === 0) onNote?.(line.number, 'the main thread exits; ignored');
        compiler.threadExit(t);
        break;
      case OP_EXIT:
        compiler.exit(t);
        break;
      case OP_FORK:
        compiler.fork(t);
        break;
      case OP_GC:
        compiler.gc(t);
        break;
      default:
        compiler.shutdown(t);
    }
  }

  function mallopt(t: number): void {
    const option = line.word('a mallopt name');
    if (!isMalloptName(option)) {
      line.fail('mallopt-name', line.fieldStart, line.quoted(line.fieldStart), MALLOPT_NAMES.join(', '));
    }
    const value = line.signed(U32_MAX);
    line.endOfLine();
    compiler.mallopt(t, option, value);
  }

  /** A call of mallctl: its name, and the value that it sets. */
  function mallctl(): Mallctl {
    const named = parseMallctlName(line.word('a mallctl name'));
    if (!named) line.fail('mallctl-name', line.fieldStart, line.quoted(line.fieldStart), MALLCTL_NAMES.join(', '));
    const value = setsValue(named.name) ? line.signed(2 ** 31 - 1) : 0;
    if (!isValueOf(named.name, value))
      line.fail('mallctl-value', line.fieldStart, line.quoted(line.fieldStart), `a value of ${named.name}`);
    line.endOfLine();
    return { ...named, value };
  }

  /** What the kernel said at the sample before: no event, so it has no number. */
  function observation(start: number): Refusal {
    line.at++;
    const values: [string, Bytes][] = [];
    if (!line.isAtEnd && !line.isNext(SPACE))
      line.fail('event-unknown', start, line.quoted(start), '! and names with bytes');
    do {
      const name = line.name('a name');
      values.push([name, line.count(NUMBER_MAX, 'bytes')]);
      line.skipSpaces();
    } while (!line.isAtEnd);
    if (!compiler.observe(values)) line.fail('observation-place', start, '! behind another event', '! behind = alone');
    return FINE;
  }

  return { read };
}

function isMalloptName(name: string): name is MalloptName {
  return (MALLOPT_NAMES as readonly string[]).includes(name);
}
