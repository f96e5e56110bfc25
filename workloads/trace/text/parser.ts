import { UserError } from '../../../sim/contract/assert.ts';
import { OP_CLOCK } from '../../../sim/contract/event.ts';
import { openCommonLines } from '../common-lines.ts';
import { BATCH_EVENTS, createEventBatch } from '../compiler/batch.ts';
import { createTraceCompiler } from '../compiler/compiler.ts';
import type { CompilerOptions } from '../compiler/trace-compiler.ts';
import type { TraceInput } from '../input.ts';
import { createEventReader, type EventReader } from './events.ts';
import { createHeaderReader } from './headers.ts';
import { LINE_REFUSED, Line } from './line.ts';
import { fillBatch } from './number-lines.ts';
import { reportRefusal } from './refusals.ts';
import type { Violation } from './violation.ts';

export interface ParserOptions extends CompilerOptions {
  /** Stands before line and column in messages. */
  readonly source?: string;
  /** Hears of each broken rule; the event is then left out. Without it the first one is thrown as a UserError. */
  readonly onViolation?: (violation: Violation) => void;
  /** Hears of what is allowed but odd. */
  readonly onNote?: (line: number, text: string) => void;
}

const LF = 10;
const CR = 13;
const EXCLAMATION = 33;
const HASH = 35;
const PERCENT = 37;

/** A line that is longer than this, in bytes, is not a trace. */
export const LINE_LIMIT = 1 << 20;
/** A run of fewer common lines is not worth the call: more of what follows then goes the careful way, before they are tried again. */
const FEW_COMMON = 4;
const LEAST_UNCOMMON = 1;
/** For a text of fewer the memory of `openCommonLines` costs more than it gives. As `readTrace` expects them: 1.5 MB. */
const LONG_ROWS = 1 << 18;

/**
 * A validating parser of the text form, for chunks of bytes. The commonest lines of a long text go straight into the columns
 * (`common-lines.ts`); those of a letter or two and numbers are read byte by byte into batches (`number-lines.ts`); every other line, and any
 * line that is not exactly of that form, goes to `parseLine`, which also finds the words for what is wrong.
 */
export function createTraceParser(options: ParserOptions = {}): TraceInput {
  const { source = 'trace', onViolation, onNote } = options;
  const isLong = (options.rows ?? 0) >= LONG_ROWS;
  const common = isLong && !options.staleFrees ? openCommonLines() : undefined;
  const compilerOptions = { ...options, ...(common && { lines: common }) };
  const line: Line = new Line(source, onViolation);
  let version: 1 | 2 = 1;
  let compiler = createTraceCompiler(compilerOptions);
  let headers = createHeaderReader(line, version);
  /** There is none before the first header. */
  let events: EventReader | undefined;
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

  // ---- a line

  /** The line at bytes[from, to), whatever it is. */
  function parseLine(bytes: Uint8Array, from: number, to: number): void {
    line.begin(bytes, from, to > from && bytes[to - 1] === CR ? to - 1 : to);
    if (to - from > LINE_LIMIT) tooLong();
    if (line.number === 1 && bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf) line.at += 3;
    line.skipSpaces();
    if (line.isAtEnd || line.isNext(HASH)) return;
    const isHeader = line.isNext(PERCENT);
    const isEvent = !isHeader && !(version > 1 && line.isNext(EXCLAMATION));
    const rows = compiler.length;
    try {
      if (isHeader) parseHeader();
      else if (events) reportRefusal(line, events.read());
      else missingHeader(line.quoted(line.at, line.end));
    } catch (reason) {
      if (reason !== LINE_REFUSED) throw reason;
      if (isEvent && compiler.length === rows) compiler.skip();
    }
  }

  /** Nor can such a line be read, wherever it is cut. */
  function tooLong(): never {
    const expected = events ? 'an event' : '%htrace 1';
    line.giveUp('line-length', line.start, `a line of more than ${LINE_LIMIT} bytes`, expected);
  }

  function missingHeader(found: string): never {
    line.giveUp('header-missing', line.start, found, '%htrace 1');
  }

  function parseHeader(): void {
    const start = line.at;
    const key = line.word('a header');
    if (key === '%htrace') parseVersion();
    else if (events) headers.read(key, start, compiler);
    else missingHeader(line.quoted(start, line.end));
  }

  function parseVersion(): void {
    line.skipSpaces();
    const given = line.word('the version');
    const at = line.fieldStart;
    const isAgain = events !== undefined && given !== `${version}`;
    if ((given !== '1' && given !== '2') || !line.isAtEnd || isAgain) {
      const expected = isAgain ? 'one version' : 'version 1 or 2';
      line.giveUp('header-version', at, `version ${line.quoted(at, line.end)}`, expected);
    }
    if (events) return;
    version = given === '1' ? 1 : 2;
    compiler = createTraceCompiler({ ...compilerOptions, narrow: version === 1 });
    headers = createHeaderReader(line, version);
    events = createEventReader(line, compiler, version, onNote);
  }

  // ---- lines

  /** Complete lines only: bytes[from, to) ends behind a line end. */
  function parseLines(bytes: Uint8Array, from: number, to: number): void {
    let p = from;
    while (p < to && !events) p = parseOther(bytes, p);
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
        p = parseOther(bytes, p);
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
    line.number += taken;
    uncommonLines = taken < FEW_COMMON ? Math.min(2 * uncommonLines, BATCH_EVENTS) : LEAST_UNCOMMON;
    uncommonLeft = uncommonLines;
    return p;
  }

  /** The line at `start`; returns where the next one starts. */
  function parseOther(bytes: Uint8Array, start: number): number {
    line.number++;
    const end = bytes.indexOf(LF, start);
    parseLine(bytes, start, end);
    return end + 1;
  }

  function compileBatch(bytes: Uint8Array): void {
    const before = line.number;
    compiler.accept(batch, (index, why) => {
      line.number = before + index + 1;
      const start = batch.lineStart[index]!;
      line.begin(bytes, start, bytes.indexOf(LF, start));
      const name = line.fieldEnd(start);
      line.objectStart = batch.op[index] === OP_CLOCK ? name + 1 : line.fieldEnd(name + 1) + 1;
      reportRefusal(line, why);
    });
    line.number = before + batch.count;
  }

  // ---- chunks

  function keep(bytes: Uint8Array): void {
    if (carried + bytes.length > LINE_LIMIT) {
      line.number++;
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
    line.number++;
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
      line.number++;
      isCutOff = true;
      line.report('cut-off', line.start, found, expected);
      compiler.skip();
    },
    finish() {
      if (!started && !isCutOff)
        throw new UserError(`${source}: found an empty file, expected a trace that starts with %htrace 1`);
      if (carried > 0) {
        onNote?.(line.number + 1, 'the last line has no line end; the file may be cut off');
        parseCarried();
      }
      if (!events && started) missingHeader('the end of the file');
      return compiler.finish(headers.finish());
    },
  };
}
