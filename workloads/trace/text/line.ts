import { UserError } from '../../../sim/contract/assert.ts';
import { unescapeText } from '../header-lines.ts';
import { type Rule, type Violation, violationMessage } from './violation.ts';

const SPACE = 32;
const MINUS = 45;
const ZERO = 48;

/** Thrown to leave a line of which something was said; never seen outside the parser. */
export const LINE_REFUSED = Symbol('line refused');

/** A line of a trace, read field by field, and the words for what is wrong with it. */
export class Line {
  /** In the file, from 1. */
  number = 0;
  text: Uint8Array = new Uint8Array(0);
  /** The line is text[start, end), what is left of it text[at, end). */
  start = 0;
  end = 0;
  at = 0;
  /** Start of the field that was read last. */
  fieldStart = 0;
  /** Start of what most refusals of an event are about: its object. */
  objectStart = 0;

  private readonly source: string;
  private readonly onViolation: ((violation: Violation) => void) | undefined;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });

  constructor(source: string, onViolation: ((violation: Violation) => void) | undefined) {
    this.source = source;
    this.onViolation = onViolation;
  }

  begin(text: Uint8Array, start: number, end: number): void {
    this.text = text;
    this.start = start;
    this.end = end;
    this.at = start;
  }

  fail(rule: Rule, position: number, found: string, expected: string): never {
    this.report(rule, position, found, expected);
    throw LINE_REFUSED;
  }

  report(rule: Rule, position: number, found: string, expected: string): void {
    const violation = { line: this.number, column: position - this.start + 1, rule, found, expected };
    if (!this.onViolation) throw new UserError(violationMessage(this.source, violation));
    this.onViolation(violation);
  }

  /** Nothing that follows can be trusted to be a trace, so --lenient does not help here. */
  giveUp(rule: Rule, position: number, found: string, expected: string): never {
    const violation = { line: Math.max(1, this.number), column: position - this.start + 1, rule, found, expected };
    throw new UserError(violationMessage(this.source, violation));
  }

  /** What stands in the line from `from` to the next space, fit for a message. */
  quoted(from: number, to = this.fieldEnd(from)): string {
    if (from >= this.end) return 'the end of the line';
    const shown = Buffer.from(this.text.subarray(from, Math.min(to, from + 40))).toString('latin1');
    const quotes = JSON.stringify(to - from > 40 ? `${shown}…` : shown);
    // JSON leaves these alone, and some terminals obey them.
    return quotes.replace(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
  }

  fieldEnd(from: number): number {
    const { text, end } = this;
    let to = from;
    while (to < end && text[to] !== SPACE) to++;
    return to;
  }

  skipSpaces(): void {
    const { text, end } = this;
    let { at } = this;
    while (at < end && text[at] === SPACE) at++;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  /** Whether this byte comes next. */
  isNext(byte: number): boolean {
    return this.at < this.end && this.text[this.at] === byte;
  }

  /** A decimal number from 0 to `limit`. */
  count(limit: number, what: string): number {
    this.skipSpaces();
    const { text, end, at: from } = this;
    this.fieldStart = from;
    if (from >= end) this.fail('field-missing', from, 'the end of the line', what);
    let at = from;
    let value = 0;
    for (; at < end; at++) {
      const digit = text[at]! - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    this.at = at;
    if (at === from || (at < end && text[at] !== SPACE)) {
      this.fail('number-malformed', from, this.quoted(from), `${what}, a decimal number`);
    }
    if (value > limit) this.fail('number-range', from, this.quoted(from), `${what}, at most ${limit}`);
    return value;
  }

  /** A number that may be negative: from -2^31. */
  signed(limit: number): number {
    this.skipSpaces();
    const negative = this.isNext(MINUS);
    if (negative) this.at++;
    const value = this.count(negative ? 2 ** 31 : limit, 'a value');
    if (negative) this.fieldStart--;
    return negative ? -value : value;
  }

  word(what: string): string {
    this.skipSpaces();
    const from = this.at;
    this.fieldStart = from;
    this.at = this.fieldEnd(from);
    if (this.at === from) this.fail('field-missing', from, 'the end of the line', what);
    return Buffer.from(this.text.subarray(from, this.at)).toString('latin1');
  }

  /** A word of any language. */
  name(what: string): string {
    const latin1 = this.word(what);
    return this.decode(Buffer.from(latin1, 'latin1'), this.fieldStart);
  }

  endOfLine(): void {
    this.skipSpaces();
    if (this.at < this.end) this.fail('field-extra', this.at, this.quoted(this.at), 'the end of the line');
  }

  rest(): string {
    this.skipSpaces();
    return this.decode(this.text.slice(this.at, this.end), this.at);
  }

  /** The rest, escaped as in version 2. */
  escapedRest(what: string): string {
    const start = this.at;
    return (
      unescapeText(this.rest()) ??
      this.fail(
        'header-value',
        start,
        this.quoted(start, this.end),
        `${what}, and behind a backslash only n, r, s, t or another one`,
      )
    );
  }

  private decode(bytes: Uint8Array, from: number): string {
    try {
      return this.decoder.decode(bytes);
    } catch {
      return this.fail('text-encoding', from, 'bytes that are not UTF-8', 'UTF-8 text');
    }
  }
}
