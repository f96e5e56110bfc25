/** When a line of a log was written, and what was asked for. */
export interface LogLine {
  /** Microseconds: since 1970 (UTC) where the line has a date, else from the scenario's start. */
  readonly us: number;
  readonly isDated: boolean;
  /** Whether the log tells no parts of a second. */
  readonly isWhole: boolean;
  /** The path with its query, without method and protocol; in a log without requests what stands behind the time. */
  readonly target: string;
}

export const LOG_TIMES =
  '[29/Nov/2026:09:00:01 +0000], 2026-11-29T09:00:01+00:00, 1764406801.123 or seconds from the start';

/** The time as the first word: seconds from the start, or seconds ($msec of nginx), milli- or microseconds since 1970. */
const NUMBER = /^\s*"?(\d+)(\.\d+)?"?(?=[\s,;]|$)/;
/** $time_local of nginx, %t of Apache. */
const LOCAL = /\[(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2})(\.\d+)? ([+-])(\d{2})(\d{2})\]/;
/** $time_iso8601 of nginx. */
const ISO = /(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(\.\d+)? ?(?:Z|([+-])(\d{2}):?(\d{2}))/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** $request of nginx, %r of Apache. */
const QUOTED_REQUEST = /"[A-Z]+ ([^\s"]+)(?: HTTP\/[\d.]+)?"/;
const BARE_REQUEST = /^[A-Z]+ (\S+)/;

/** Digits before the point of a time since 1970: from 2001 to 2286. */
const SECONDS_DIGITS = 10;
const MILLISECONDS_DIGITS = 13;
const MICROSECONDS_DIGITS = 16;

/** A line of an arrival log; undefined where it has no time. */
export function parseLogLine(line: string): LogLine | undefined {
  const number = NUMBER.exec(line);
  const time = number ? numberTime(number[1]!, number[2]) : dateTime(line);
  if (!time) return undefined;
  const rest = line.slice(number ? number[0].length : (time.end ?? 0)).replace(/^[\s,;]+/, '');
  const target = QUOTED_REQUEST.exec(line)?.[1] ?? BARE_REQUEST.exec(rest)?.[1] ?? rest.trimEnd();
  return { us: time.us, isDated: time.isDated, isWhole: time.isWhole, target };
}

interface Time {
  readonly us: number;
  readonly isDated: boolean;
  readonly isWhole: boolean;
  /** Where the rest of the line begins. */
  readonly end?: number;
}

function numberTime(digits: string, fraction: string | undefined): Time | undefined {
  const value = Number(digits + (fraction ?? ''));
  const isWhole = fraction === undefined;
  switch (digits.length) {
    case SECONDS_DIGITS:
      return { us: Math.round(value * 1e6), isDated: true, isWhole };
    case MILLISECONDS_DIGITS:
      return { us: Math.round(value * 1e3), isDated: true, isWhole: false };
    case MICROSECONDS_DIGITS:
      return { us: Math.round(value), isDated: true, isWhole: false };
    default:
      // Seconds from the start are told as exactly as their author meant them.
      return digits.length < SECONDS_DIGITS
        ? { us: Math.round(value * 1e6), isDated: false, isWhole: false }
        : undefined;
  }
}

function dateTime(line: string): Time | undefined {
  const local = LOCAL.exec(line);
  if (local) {
    const [text, day, month, year, hour, minute, second, fraction, sign, offHours, offMinutes] = local;
    const us = utcUs([year, MONTHS.indexOf(month!) + 1, day, hour, minute, second], fraction, [
      sign,
      offHours,
      offMinutes,
    ]);
    return us === undefined
      ? undefined
      : { us, isDated: true, isWhole: fraction === undefined, end: local.index + text.length };
  }
  const iso = ISO.exec(line);
  if (!iso) return undefined;
  const [text, year, month, day, hour, minute, second, fraction, sign, offHours, offMinutes] = iso;
  const us = utcUs([year, month, day, hour, minute, second], fraction, [sign, offHours, offMinutes]);
  return us === undefined
    ? undefined
    : { us, isDated: true, isWhole: fraction === undefined, end: iso.index + text.length };
}

/** Of a time of day in its zone; undefined for a day that there is not, or such an hour. A leap second is the next minute's first. */
function utcUs(
  words: readonly (string | number | undefined)[],
  fraction: string | undefined,
  [sign, offHours = '0', offMinutes = '0']: readonly (string | undefined)[],
): number | undefined {
  const [year, month, day, hour, minute, second] = words.map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const midnight = new Date(Date.UTC(year, month - 1, day));
  if (midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const offset = (sign === '-' ? -1 : 1) * (Number(offHours) * 3600 + Number(offMinutes) * 60);
  const seconds = midnight.getTime() / 1e3 + hour * 3600 + minute * 60 + second - offset;
  return seconds * 1e6 + Math.round(Number(fraction ?? 0) * 1e6);
}
