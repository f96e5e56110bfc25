import { UserError } from '../../sim/contract/assert.ts';
import {
  MALLOPT_NAMES,
  type MalloptName,
  NUMBER_MAX,
  OP_CALLOC,
  OP_CLOCK,
  OP_ECALLOC,
  OP_EFREE,
  OP_EMALLOC,
  OP_EREALLOC,
  OP_FREE,
  OP_MALLOC,
  OP_MEMALIGN,
  OP_REALLOC,
  OP_WRITE,
  type RecordedFacts,
  type Touch,
} from '../../sim/contract/event.ts';
import { isValueOf, MALLCTL_NAMES, type Mallctl, parseMallctlName, setsValue } from '../../sim/contract/mallctl.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { BATCH_EVENTS, createEventBatch, type EventBatch } from './batch.ts';
import { openCommonLines } from './common-lines.ts';
import {
  ALIGNMENT_INVALID,
  type Annotation,
  BLOCK_TOO_LARGE,
  CLOCK_TOO_LARGE,
  type CompilerOptions,
  createTraceCompiler,
  FINE,
  OBJECT_DEAD,
  OBJECT_LIVE,
  OBJECT_OF_EMALLOC,
  OBJECT_OF_MALLOC,
  type Refusal,
  SITE_UNKNOWN,
  THREAD_ID_MAX,
  U32_MAX,
} from './compiler.ts';
import { parseFrame, unescapeText } from './header-lines.ts';
import type { TraceInput } from './input.ts';

/** One broken rule, at a place of the text. */
export interface Violation {
  readonly line: number;
  /** In bytes, from 1. */
  readonly column: number;
  readonly rule: Rule;
  readonly found: string;
  readonly expected: string;
}

export type Rule =
  | 'header-missing'
  | 'header-version'
  | 'header-late'
  | 'header-unknown'
  | 'header-value'
  | 'event-unknown'
  | 'field-missing'
  | 'field-extra'
  | 'number-malformed'
  | 'number-range'
  | 'block-size'
  | 'object-dead'
  | 'object-live'
  | 'object-family'
  | 'alignment'
  | 'mallopt-name'
  | 'mallctl-name'
  | 'mallctl-value'
  | 'clock-range'
  | 'site-unknown'
  | 'observation-place'
  | 'line-length'
  | 'text-encoding'
  | 'cut-off';

export interface ParserOptions extends CompilerOptions {
  /** Stands before line and column in messages. */
  readonly source?: string;
  /** Hears of each broken rule; the event is then left out. Without it the first one is thrown as a UserError. */
  readonly onViolation?: (violation: Violation) => void;
  /** Hears of what is allowed but odd. */
  readonly onNote?: (line: number, text: string) => void;
}

export function violationMessage(source: string, { line, column, found, expected }: Violation): string {
  return `${source}:${line}:${column}: found ${found}, expected ${expected}`;
}

const LF = 10;
const CR = 13;
const SPACE = 32;
const HASH = 35;
const PERCENT = 37;
const PLUS = 43;
const MINUS = 45;
const ZERO = 48;
const EQUALS = 61;
const EXCLAMATION = 33;
const AT = 64;
const TILDE = 126;

/** A line that is longer than this, in bytes, is not a trace. */
export const LINE_LIMIT = 1 << 20;
/** Nine digits fit in an int32 whatever they are; longer numbers take the general path. */
const FAST_DIGITS = 9;
const NUMBER_LIMIT = 2 ** 53;
/** A run of fewer common lines is not worth the call: more of what follows then goes the careful way, before they are tried again. */
const FEW_COMMON = 4;
const LEAST_UNCOMMON = 1;
/** For a text of fewer the memory of `openCommonLines` costs more than it gives. As `readTrace` expects them: 1.5 MB. */
const LONG_ROWS = 1 << 18;

const HEADERS = '%htrace, %touch, %name or %source';
const HEADERS_2 = `${HEADERS.replace(' or', ',')}, %command, %process, %env, %machine, %thread, %mapping, %frame or %site`;
const EVENTS = 'm, c, r, a, f, em, ec, er, ef, eb, ee, w, tb, te, trim, opt, + or =';
const EVENTS_2 =
  'm, c, r, a, f, em, ec, er, ef, eb, ee, w, tb, te, tc, tj, exit, fork, gc, es, trim, opt, ctl, +, = or !';
/** Lists of version 2 may be so long. */
const FACTS_MAX = 1 << 20;

/** Thrown inside the parser to leave a line; never seen outside. */
const LINE_REFUSED = Symbol('line refused');

/**
 * A validating parser of the text form, for chunks of bytes. The commonest lines of a long text go straight into the columns
 * (`common-lines.ts`); those of a letter or two and numbers are read byte by byte into batches; every other line, and any line that is not
 * exactly of that form, goes to `parseLine`, which also finds the words for what is wrong.
 */
export function createTraceParser(options: ParserOptions = {}): TraceInput {
  const { source = 'trace', onViolation, onNote } = options;
  const isLong = (options.rows ?? 0) >= LONG_ROWS;
  const common = isLong && !options.staleFrees ? openCommonLines() : undefined;
  const compilerOptions = { ...options, ...(common && { lines: common }) };
  let compiler = createTraceCompiler(compilerOptions);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let touch: Touch = 'full';
  let name = '';
  let origin = '';
  let hasHeader = false;
  let version = 1;
  const facts = createFacts();
  let lines = 0;
  /** Whether any byte has come, so that an empty input can be told from one without header. */
  let started = false;
  let isCutOff = false;

  const batch = createEventBatch();
  /** How many lines go the careful way between two looks for common ones, and how many of them are left. */
  let uncommonLines = LEAST_UNCOMMON;
  let uncommonLeft = common ? 0 : Infinity;

  // A line that is spread over chunks.
  let carry: Uint8Array = new Uint8Array(4096);
  let carried = 0;

  // The line in parseLine: text[at, lineEnd), started at lineStart.
  let text: Uint8Array = carry;
  let at = 0;
  let lineStart = 0;
  let lineEnd = 0;
  /** Start of the field that was read last. */
  let fieldStart = 0;
  /** Column start of the object field: what most refusals are about. */
  let objectStart = 0;
  /** Whether the line that was left is one of what the kernel said. */
  let isObservation = false;

  function fail(rule: Rule, position: number, found: string, expected: string): never {
    report(rule, position, found, expected);
    throw LINE_REFUSED;
  }

  function report(rule: Rule, position: number, found: string, expected: string): void {
    const violation = { line: lines, column: position - lineStart + 1, rule, found, expected };
    if (!onViolation) throw new UserError(violationMessage(source, violation));
    onViolation(violation);
  }

  /** What stands in the line from `from` to the next space, fit for a message. */
  function quoted(from: number, to = fieldEnd(from)): string {
    if (from >= lineEnd) return 'the end of the line';
    const shown = Buffer.from(text.subarray(from, Math.min(to, from + 40))).toString('latin1');
    const quotes = JSON.stringify(to - from > 40 ? `${shown}…` : shown);
    // JSON leaves these alone, and some terminals obey them.
    return quotes.replace(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
  }

  function fieldEnd(from: number): number {
    let end = from;
    while (end < lineEnd && text[end] !== SPACE) end++;
    return end;
  }

  function skipSpaces(): void {
    while (at < lineEnd && text[at] === SPACE) at++;
  }

  function number(limit: number, what: string): number {
    skipSpaces();
    fieldStart = at;
    if (at >= lineEnd) fail('field-missing', at, 'the end of the line', what);
    let value = 0;
    while (at < lineEnd) {
      const digit = text[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at++;
    }
    if (at === fieldStart || (at < lineEnd && text[at] !== SPACE)) {
      fail('number-malformed', fieldStart, quoted(fieldStart), `${what}, a decimal number`);
    }
    if (value > limit) fail('number-range', fieldStart, quoted(fieldStart), `${what}, at most ${limit}`);
    return value;
  }

  function size(what = 'a size in bytes'): number {
    if (version > 1) return number(NUMBER_MAX, what);
    const value = number(NUMBER_LIMIT, what);
    if (value > U32_MAX) fail('block-size', fieldStart, quoted(fieldStart), `${what}, at most ${U32_MAX}`);
    return value;
  }

  /** ` ~`, ` !` and ` @S` behind an allocating event of version 2. */
  function endOfAllocation(): void {
    skipSpaces();
    if (at >= lineEnd || version === 1) {
      endOfLine();
      return;
    }
    const annotation = { site: 0, failed: false, unwritten: false };
    if (isMark(TILDE)) annotation.unwritten = true;
    if (isMark(EXCLAMATION)) annotation.failed = true;
    if (text[at] === AT && at < lineEnd) {
      at++;
      if (at < lineEnd && text[at] === SPACE) fail('number-malformed', at - 1, quoted(at - 1), '@ and a site number');
      annotation.site = number(U32_MAX, 'a site number');
    }
    endOfLine();
    compiler.annotate(annotation satisfies Annotation);
  }

  function isMark(sign: number): boolean {
    if (at >= lineEnd || text[at] !== sign || fieldEnd(at) !== at + 1) return false;
    at++;
    skipSpaces();
    return true;
  }

  const thread = () => number(THREAD_ID_MAX, 'a thread number');
  function object(): number {
    const id = number(U32_MAX, 'an object id');
    objectStart = fieldStart;
    return id;
  }

  function word(what: string): string {
    skipSpaces();
    fieldStart = at;
    at = fieldEnd(at);
    if (at === fieldStart) fail('field-missing', at, 'the end of the line', what);
    return Buffer.from(text.subarray(fieldStart, at)).toString('latin1');
  }

  function endOfLine(): void {
    skipSpaces();
    if (at < lineEnd) fail('field-extra', at, quoted(at), 'the end of the line');
  }

  function restOfLine(): string {
    skipSpaces();
    try {
      return decoder.decode(text.slice(at, lineEnd));
    } catch {
      return fail('text-encoding', at, 'bytes that are not UTF-8', 'UTF-8 text');
    }
  }

  function parseLine(bytes: Uint8Array, from: number, to: number): void {
    if (to - from > LINE_LIMIT) tooLong();
    text = bytes;
    lineStart = from;
    lineEnd = to > from && bytes[to - 1] === CR ? to - 1 : to;
    at = from;
    if (lines === 1 && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) at += 3;
    skipSpaces();
    if (at >= lineEnd || text[at] === HASH) return;
    const rows = compiler.length;
    try {
      if (text[at] === PERCENT) parseHeader();
      else if (hasHeader) refused(parseEvent());
      else missingHeader(quoted(at, lineEnd));
    } catch (reason) {
      if (reason !== LINE_REFUSED) throw reason;
      if (text[at] !== PERCENT && !isObservation && compiler.length === rows) compiler.skip();
      isObservation = false;
    }
  }

  /** Nor can such a line, wherever it is cut. */
  function tooLong(): never {
    const violation = {
      line: lines,
      column: 1,
      rule: 'line-length' as const,
      found: `a line of more than ${LINE_LIMIT} bytes`,
      expected: hasHeader ? 'an event' : '%htrace 1',
    };
    throw new UserError(violationMessage(source, violation));
  }

  /** Nothing that follows can be trusted to be a trace, so --lenient does not help here. */
  function missingHeader(found: string): never {
    const violation = {
      line: Math.max(1, lines),
      column: 1,
      rule: 'header-missing' as const,
      found,
      expected: '%htrace 1',
    };
    throw new UserError(violationMessage(source, violation));
  }

  /** Text of version 2: escaped. */
  function escapedText(what: string): string {
    const start = at;
    const plain = unescapeText(restOfLine());
    return (
      plain ??
      fail(
        'header-value',
        start,
        quoted(start, lineEnd),
        `${what}, and behind a backslash only n, r, s, t or another one`,
      )
    );
  }

  function parseFact(key: string, start: number): void {
    switch (key) {
      case '%command':
        facts.command = escapedText('the command');
        break;
      case '%process': {
        const pid = number(U32_MAX, 'a process number');
        facts.process = { pid, parent: number(U32_MAX, 'the parent’s process number') };
        endOfLine();
        break;
      }
      case '%env':
      case '%machine': {
        const name = utf8(word('a name'));
        (key === '%env' ? facts.environment : facts.machine).push([name, escapedText('a value')]);
        break;
      }
      case '%thread': {
        const id = thread();
        facts.threadNames.push([id, escapedText('a name')]);
        break;
      }
      case '%mapping': {
        const bytes = number(NUMBER_MAX, 'bytes');
        const residentBytes = number(NUMBER_MAX, 'resident bytes');
        facts.mappings.push({ bytes, residentBytes, name: escapedText('a name') });
        break;
      }
      case '%frame': {
        expectNext(compiler.frameCount + 1, 'frame');
        skipSpaces();
        const frame = parseFrame(restOfLine());
        compiler.addFrame(
          frame ?? fail('header-value', at, quoted(at, lineEnd), 'FUNCTION, or with tabs FUNCTION FILE:LINE MODULE'),
        );
        break;
      }
      case '%site': {
        expectNext(compiler.siteCount + 1, 'site');
        const parent = number(compiler.siteCount, 'the calling site, one from above or 0');
        const frame = number(compiler.frameCount, 'a frame from above');
        if (frame === 0) fail('header-value', fieldStart, '0', 'a frame from above');
        endOfLine();
        compiler.addSite(parent, frame);
        break;
      }
      default:
        fail('header-unknown', start, quoted(start), HEADERS_2);
    }
    if (factCount(facts) > FACTS_MAX) fail('header-value', start, `more than ${FACTS_MAX} such lines`, 'fewer');
  }

  function expectNext(expected: number, what: string): void {
    const given = number(U32_MAX, `a ${what} number`);
    if (given !== expected)
      fail('header-value', fieldStart, `${what} ${given}`, `${expected}: they are numbered from 1 in order`);
  }

  /** The same bytes as text; the line is read as latin1 where only ASCII may stand. */
  function utf8(latin1: string): string {
    try {
      return decoder.decode(Uint8Array.from(latin1, (c) => c.charCodeAt(0)));
    } catch {
      return fail('text-encoding', fieldStart, 'bytes that are not UTF-8', 'UTF-8 text');
    }
  }

  function parseHeader(): void {
    const start = at;
    const key = word('a header');
    if (key === '%htrace') {
      skipSpaces();
      const given = word('the version');
      const isAgain = hasHeader && given !== `${version}`;
      if ((given !== '1' && given !== '2') || at < lineEnd || isAgain) {
        throw new UserError(
          violationMessage(source, {
            line: lines,
            column: fieldStart - lineStart + 1,
            rule: 'header-version',
            found: `version ${quoted(fieldStart, lineEnd)}`,
            expected: isAgain ? 'one version' : 'version 1 or 2',
          }),
        );
      }
      if (!hasHeader) compiler = createTraceCompiler({ ...compilerOptions, narrow: given === '1' });
      version = Number(given);
      hasHeader = true;
      return;
    }
    if (!hasHeader) missingHeader(quoted(start, lineEnd));
    try {
      if (compiler.length > 0)
        fail('header-late', start, `the header ${key} behind an event`, 'headers before the events');
      if (key === '%touch') {
        const value = word('full, first or none');
        if (value !== 'full' && value !== 'first' && value !== 'none') {
          fail('header-value', fieldStart, quoted(fieldStart), 'full, first or none');
        }
        endOfLine();
        touch = value;
      } else if (key === '%name') name = restOfLine();
      else if (key === '%source') origin = restOfLine();
      else if (version === 1) fail('header-unknown', start, quoted(start), HEADERS);
      else parseFact(key, start);
    } catch (reason) {
      at = start; // a header is no event and leaves no row
      throw reason;
    }
  }

  function parseEvent(): Refusal {
    const start = at;
    const first = text[at]!;
    if (first === PLUS) {
      at++;
      const ns = number(NUMBER_LIMIT - 1, 'nanoseconds');
      endOfLine();
      objectStart = fieldStart;
      return compiler.clock(ns);
    }
    if (first === EQUALS) {
      at++;
      if (at < lineEnd && text[at] !== SPACE)
        fail('event-unknown', start, quoted(start), '= and a label behind a space');
      compiler.sample(restOfLine());
      return FINE;
    }
    if (first === EXCLAMATION && version > 1) return parseObservation();
    at = fieldEnd(at);
    const kind = at - start <= 4 ? eventKey(start, at) : 0;
    const isKnown = isEvent(kind) || (version > 1 && isEventOfVersion2(kind));
    const t = isKnown
      ? thread()
      : fail('event-unknown', start, quoted(start), `an event: ${version === 1 ? EVENTS : EVENTS_2}`);
    switch (kind) {
      case KEY_M: {
        const id = object();
        const bytes = size();
        endOfAllocation();
        return compiler.malloc(t, id, bytes);
      }
      case KEY_F: {
        const id = object();
        endOfLine();
        return compiler.free(t, id);
      }
      case KEY_R: {
        const id = object();
        const bytes = size();
        endOfAllocation();
        return compiler.realloc(t, id, bytes);
      }
      case KEY_C: {
        const id = object();
        const count = size('a count');
        const each = size();
        endOfAllocation();
        return compiler.calloc(t, id, count, each);
      }
      case KEY_A: {
        const id = object();
        const align = size('an alignment');
        const bytes = size();
        endOfAllocation();
        return compiler.memalign(t, id, align, bytes);
      }
      case KEY_W: {
        const id = object();
        const offset = size('an offset in bytes');
        const length = size('a length in bytes');
        endOfLine();
        return compiler.write(t, id, offset, length);
      }
      case KEY_EM: {
        const id = object();
        const bytes = size();
        endOfAllocation();
        return compiler.emalloc(t, id, bytes);
      }
      case KEY_EF: {
        const id = object();
        endOfLine();
        return compiler.efree(t, id);
      }
      case KEY_ER: {
        const id = object();
        const bytes = size();
        endOfAllocation();
        return compiler.erealloc(t, id, bytes);
      }
      case KEY_EC: {
        const id = object();
        const count = size('a count');
        const each = size();
        endOfAllocation();
        return compiler.ecalloc(t, id, count, each);
      }
      case KEY_EB:
        endOfLine();
        compiler.requestBegin(t);
        return FINE;
      case KEY_EE:
        endOfLine();
        compiler.requestEnd(t);
        return FINE;
      case KEY_TB:
        endOfLine();
        if (onNote && compiler.isAlive(t)) onNote(lines, `thread ${t} begins, though it has begun already; ignored`);
        compiler.threadBegin(t);
        return FINE;
      case KEY_TE:
        endOfLine();
        if (onNote && t === 0) onNote(lines, 'the main thread exits; ignored');
        compiler.threadExit(t);
        return FINE;
      case KEY_TC: {
        const other = thread();
        endOfLine();
        compiler.threadCreate(t, other);
        return FINE;
      }
      case KEY_TJ: {
        const other = thread();
        const ns = number(U32_MAX, 'nanoseconds');
        endOfLine();
        compiler.threadJoin(t, other, ns);
        return FINE;
      }
      case KEY_EXIT:
        endOfLine();
        compiler.exit(t);
        return FINE;
      case KEY_FORK:
        endOfLine();
        compiler.fork(t);
        return FINE;
      case KEY_GC:
        endOfLine();
        compiler.gc(t);
        return FINE;
      case KEY_ES:
        endOfLine();
        compiler.shutdown(t);
        return FINE;
      case KEY_TRIM: {
        const pad = size('a pad in bytes');
        endOfLine();
        compiler.trim(t, pad);
        return FINE;
      }
      case KEY_CTL:
        compiler.mallctl(t, mallctl());
        return FINE;
      default: {
        const option = word('a mallopt name');
        if (!isMalloptName(option)) fail('mallopt-name', fieldStart, quoted(fieldStart), MALLOPT_NAMES.join(', '));
        const value = signed(U32_MAX);
        endOfLine();
        compiler.mallopt(t, option, value);
        return FINE;
      }
    }
  }

  /** A value that may be negative. */
  function signed(most: number): number {
    skipSpaces();
    const negative = text[at] === MINUS && at < lineEnd;
    if (negative) at++;
    const value = number(negative ? 2 ** 31 : most, 'a value');
    if (negative) fieldStart--;
    return negative ? -value : value;
  }

  /** A call of mallctl: its name, and the value that it sets. */
  function mallctl(): Mallctl {
    const named = parseMallctlName(word('a mallctl name'));
    if (!named) fail('mallctl-name', fieldStart, quoted(fieldStart), MALLCTL_NAMES.join(', '));
    const value = setsValue(named.name) ? signed(2 ** 31 - 1) : 0;
    if (!isValueOf(named.name, value))
      fail('mallctl-value', fieldStart, quoted(fieldStart), `a value of ${named.name}`);
    endOfLine();
    return { ...named, value };
  }

  /** What the kernel said at the sample before: no event, so it has no number. */
  function parseObservation(): Refusal {
    const start = at;
    at++;
    const values: [string, Bytes][] = [];
    try {
      if (at < lineEnd && text[at] !== SPACE) fail('event-unknown', start, quoted(start), '! and names with bytes');
      do {
        const name = utf8(word('a name'));
        values.push([name, number(NUMBER_MAX, 'bytes')]);
        skipSpaces();
      } while (at < lineEnd);
      if (!compiler.observe(values)) fail('observation-place', start, '! behind another event', '! behind = alone');
    } catch (reason) {
      isObservation = true; // it leaves no row
      throw reason;
    }
    return FINE;
  }

  function eventKey(from: number, to: number): number {
    let key = 0;
    for (let i = from; i < to; i++) key = (key << 8) | text[i]!;
    return key;
  }

  /** Puts a refusal of the compiler into words; the line is still the one in `text`. */
  function refused(why: Refusal): void {
    if (why === FINE) return;
    const id = quoted(objectStart).replaceAll('"', '');
    switch (why) {
      case OBJECT_DEAD:
        report('object-dead', objectStart, `object ${id}, which is not live`, 'a live object');
        break;
      case OBJECT_LIVE:
        report('object-live', objectStart, `object ${id}, which is live already`, 'an object that is not live');
        break;
      case OBJECT_OF_MALLOC:
        report('object-family', objectStart, `object ${id} of malloc in an e… event`, 'an object of emalloc');
        break;
      case OBJECT_OF_EMALLOC:
        report('object-family', objectStart, `object ${id} of emalloc`, 'ef or er, or an object of malloc');
        break;
      case BLOCK_TOO_LARGE:
        report('block-size', objectStart, `a block of count × size above ${U32_MAX} bytes`, `at most ${U32_MAX}`);
        break;
      case ALIGNMENT_INVALID:
        report('alignment', objectStart, 'an alignment that is no power of two', 'a power of two up to 2147483648');
        break;
      case SITE_UNKNOWN:
        report('site-unknown', objectStart, 'a call site that no %site line names', 'one from above');
        break;
      case CLOCK_TOO_LARGE:
        report('clock-range', objectStart, `a clock beyond ${NUMBER_LIMIT} ns`, 'less in all');
    }
  }

  /** Complete lines only: bytes[from, to) ends behind a line end. */
  function parseLines(bytes: Uint8Array, from: number, to: number): void {
    let p = from;
    while (p < to && !hasHeader) p = parseOthers(bytes, p);
    let shown = p;
    while (p < to) {
      if (common && uncommonLeft === 0) {
        if (p >= shown) shown = common.show(bytes, p, to);
        p = parseCommon(p);
      }
      const most = Math.min(uncommonLeft, BATCH_EVENTS);
      p = fillBatch(batch, bytes, p, to, most);
      if (batch.count > 0) compileBatch(bytes);
      uncommonLeft -= batch.count;
      if (p < to && batch.count < most) {
        p = parseOthers(bytes, p);
        uncommonLeft--;
      }
    }
  }

  /** Lines of the commonest form, and how many go the careful way before the next: more where there were few. */
  function parseCommon(from: number): number {
    const before = compiler.length;
    let p = from;
    for (let full = before; compiler.length === full; full += BATCH_EVENTS) p = compiler.acceptLines(p);
    const taken = compiler.length - before;
    lines += taken;
    uncommonLines = taken < FEW_COMMON ? Math.min(2 * uncommonLines, BATCH_EVENTS) : LEAST_UNCOMMON;
    uncommonLeft = uncommonLines;
    return p;
  }

  /** The line at `start`, whatever it is; returns where the next one starts. */
  function parseOthers(bytes: Uint8Array, start: number): number {
    lines++;
    const end = bytes.indexOf(LF, start);
    parseLine(bytes, start, end);
    return end + 1;
  }

  function compileBatch(bytes: Uint8Array): void {
    const before = lines;
    compiler.accept(batch, (index, why) => {
      lines = before + index + 1;
      text = bytes;
      lineStart = batch.lineStart[index]!;
      lineEnd = bytes.indexOf(LF, lineStart);
      at = fieldEnd(lineStart);
      objectStart = batch.op[index] === OP_CLOCK ? at + 1 : fieldEnd(at + 1) + 1;
      refused(why);
    });
    lines = before + batch.count;
  }

  function keep(bytes: Uint8Array): void {
    if (carried + bytes.length > LINE_LIMIT) {
      lines++;
      tooLong();
    }
    if (carried + bytes.length > carry.length) {
      const grown = new Uint8Array(Math.max(2 * carry.length, carried + bytes.length));
      grown.set(carry);
      carry = grown;
    }
    carry.set(bytes, carried);
    carried += bytes.length;
  }

  function parseCarried(): void {
    lines++;
    const length = carried;
    carried = 0;
    parseLine(carry, 0, length);
  }

  return {
    room: common?.text,
    push(chunk) {
      if (chunk.length === 0) return;
      started = true;
      let from = 0;
      if (carried > 0) {
        const end = chunk.indexOf(LF);
        if (end < 0) {
          keep(chunk);
          return;
        }
        keep(chunk.subarray(0, end));
        parseCarried();
        from = end + 1;
      }
      const to = chunk.lastIndexOf(LF) + 1;
      if (to > from) parseLines(chunk, from, to);
      if (Math.max(from, to) < chunk.length) keep(chunk.subarray(Math.max(from, to)));
    },
    cutOff(found, expected) {
      carried = 0;
      lineStart = 0;
      lines++;
      isCutOff = true;
      report('cut-off', 0, found, expected);
      compiler.skip();
    },
    finish() {
      if (!started && !isCutOff)
        throw new UserError(`${source}: found an empty file, expected a trace that starts with %htrace 1`);
      if (carried > 0) {
        onNote?.(lines + 1, 'the last line has no line end; the file may be cut off');
        parseCarried();
      }
      if (!hasHeader && started) missingHeader('the end of the file');
      return compiler.finish({ touch, name, source: origin, recorded: facts });
    },
  };
}

/**
 * Fills the batch with lines of numbers from bytes[from, to), which ends behind a line end, so that no loop over digits
 * can run past it. Stops in front of a line that is anything else, or behind `most` of them; returns where. It calls
 * nothing, and spells a number out each time: a function, or a loop over the fields, costs a third more.
 */
function fillBatch(batch: EventBatch, bytes: Uint8Array, from: number, to: number, most: number): number {
  const { op, fields, lineStart } = batch;
  let count = 0;
  let start = from;
  while (start < to && count < most) {
    let p = start;
    let kind = OP_OF_LETTER[bytes[p]!]!;
    if (kind === E_PREFIX) kind = OP_OF_E_LETTER[bytes[++p]!]!;
    if (kind === NOT_NUMERIC || bytes[++p] !== SPACE) break;
    const base = 4 * count;
    // Unsigned, a byte below '0' is a large number as well.
    let first = p;
    let digit = bytes[++p]! - ZERO;
    if (digit >>> 0 > 9) break;
    let value = digit;
    while ((digit = bytes[++p]! - ZERO) >>> 0 <= 9) value = (Math.imul(value, 10) + digit) | 0;
    if (p - first > FAST_DIGITS + 1) break;
    fields[base] = value;
    if (kind !== OP_CLOCK) {
      if (bytes[p] !== SPACE) break;
      first = p;
      digit = bytes[++p]! - ZERO;
      if (digit >>> 0 > 9) break;
      value = digit;
      while ((digit = bytes[++p]! - ZERO) >>> 0 <= 9) value = (Math.imul(value, 10) + digit) | 0;
      if (p - first > FAST_DIGITS + 1) break;
      fields[base + 1] = value;
      const fieldCount = FIELD_COUNT[kind]!;
      if (fieldCount > 2) {
        if (bytes[p] !== SPACE) break;
        first = p;
        digit = bytes[++p]! - ZERO;
        if (digit >>> 0 > 9) break;
        value = digit;
        while ((digit = bytes[++p]! - ZERO) >>> 0 <= 9) value = (Math.imul(value, 10) + digit) | 0;
        if (p - first > FAST_DIGITS + 1) break;
        fields[base + 2] = value;
        if (fieldCount > 3) {
          if (bytes[p] !== SPACE) break;
          first = p;
          digit = bytes[++p]! - ZERO;
          if (digit >>> 0 > 9) break;
          value = digit;
          while ((digit = bytes[++p]! - ZERO) >>> 0 <= 9) value = (Math.imul(value, 10) + digit) | 0;
          if (p - first > FAST_DIGITS + 1) break;
          fields[base + 3] = value;
        }
      }
    }
    if (bytes[p] !== LF) break;
    op[count] = kind;
    lineStart[count] = start;
    count++;
    start = p + 1;
  }
  batch.count = count;
  return start;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

function createFacts(): Writable<RecordedFacts> {
  return { command: '', process: undefined, environment: [], machine: [], threadNames: [], mappings: [] };
}

function factCount({ environment, machine, threadNames, mappings }: RecordedFacts): number {
  return environment.length + machine.length + threadNames.length + mappings.length;
}

function isMalloptName(name: string): name is MalloptName {
  return (MALLOPT_NAMES as readonly string[]).includes(name);
}

/** The bytes of an event's name, as one number. */
const KEY_M = 0x6d;
const KEY_C = 0x63;
const KEY_R = 0x72;
const KEY_A = 0x61;
const KEY_F = 0x66;
const KEY_W = 0x77;
const KEY_EM = 0x656d;
const KEY_EC = 0x6563;
const KEY_ER = 0x6572;
const KEY_EF = 0x6566;
const KEY_EB = 0x6562;
const KEY_EE = 0x6565;
const KEY_TB = 0x7462;
const KEY_TE = 0x7465;
const KEY_TRIM = 0x7472696d;
const KEY_OPT = 0x6f7074;
const KEY_EXIT = 0x65786974;
const KEY_FORK = 0x666f726b;
const KEY_GC = 0x6763;
const KEY_ES = 0x6573;
const KEY_CTL = 0x63746c;
const KEY_TC = 0x7463;
const KEY_TJ = 0x746a;

function isEventOfVersion2(key: number): boolean {
  switch (key) {
    case KEY_EXIT:
    case KEY_FORK:
    case KEY_GC:
    case KEY_ES:
    case KEY_CTL:
    case KEY_TC:
    case KEY_TJ:
      return true;
    default:
      return false;
  }
}

function isEvent(key: number): boolean {
  switch (key) {
    case KEY_M:
    case KEY_C:
    case KEY_R:
    case KEY_A:
    case KEY_F:
    case KEY_W:
    case KEY_EM:
    case KEY_EC:
    case KEY_ER:
    case KEY_EF:
    case KEY_EB:
    case KEY_EE:
    case KEY_TB:
    case KEY_TE:
    case KEY_TRIM:
    case KEY_OPT:
      return true;
    default:
      return false;
  }
}

/** For the loop over lines: the operation that a first letter stands for, and how many numbers follow it. */
const NOT_NUMERIC = 255;
const E_PREFIX = 254;
const OP_OF_LETTER = letterTable([
  ['m', OP_MALLOC],
  ['f', OP_FREE],
  ['r', OP_REALLOC],
  ['c', OP_CALLOC],
  ['a', OP_MEMALIGN],
  ['w', OP_WRITE],
  ['+', OP_CLOCK],
  ['e', E_PREFIX],
]);
const OP_OF_E_LETTER = letterTable([
  ['m', OP_EMALLOC],
  ['f', OP_EFREE],
  ['r', OP_EREALLOC],
  ['c', OP_ECALLOC],
]);
const FIELD_COUNT = new Uint8Array(32);
FIELD_COUNT[OP_CLOCK] = 1;
for (const op of [OP_FREE, OP_EFREE]) FIELD_COUNT[op] = 2;
for (const op of [OP_MALLOC, OP_REALLOC, OP_EMALLOC, OP_EREALLOC]) FIELD_COUNT[op] = 3;
for (const op of [OP_CALLOC, OP_MEMALIGN, OP_WRITE, OP_ECALLOC]) FIELD_COUNT[op] = 4;

function letterTable(entries: readonly (readonly [string, number])[]): Uint8Array {
  const table = new Uint8Array(256).fill(NOT_NUMERIC);
  for (const [letter, op] of entries) table[letter.charCodeAt(0)] = op;
  return table;
}
