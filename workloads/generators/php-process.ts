import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuilder } from '../builder.ts';
import { type NumberParameter, numberParameter } from '../workload.ts';

/** What the PHP workloads have in common: which engine's data structures they use, and what is there before they begin. */
export const PHP_PARAMETERS = {
  php: numberParameter(8, '', 'the engine whose strings and arrays are used: 5, 7 or 8', { min: 5, max: 8 }),
  baseline: numberParameter(-1, 'bytes', 'that the engine holds before the script; -1: as measured of that engine', {
    min: -1,
    max: 2 ** 30,
  }),
} satisfies Record<string, NumberParameter>;

/**
 * memory_get_usage() at a script's first line: of PHP 5 as its published listing shows it (621.62 kB), of 7.1 and 8.2 as
 * measured.
 */
const USAGE_AT_START: Readonly<Record<number, number>> = { 5: 636536, 7: 352048, 8: 393400 };
/** PHP 5: a value with its collector's word. */
export const ZVAL_GC_BYTES = 32;
/** The reserve of PHP 5, which counts as usage. */
const PHP5_RESERVE = 8208;
const PHP5_HEADER = 16;

/** A string value: header, characters and a final zero; PHP 5 has the characters alone in the block. */
export function stringBytes(php: number, length: number): number {
  return php === 5 ? length + 1 : Math.ceil((24 + length + 1) / 8) * 8;
}

/** memory_get_usage() before the script; the parameter, or what that engine has. */
export function baselineBytes(workload: string, php: number, baseline: number): number {
  if (php === 6) throw new UserError(`${workload}: found php=6, expected 5, 7 or 8`);
  return baseline < 0 ? USAGE_AT_START[php]! : baseline;
}

// The engine's own blocks, in turn: what its tables of functions, classes and settings are made of. The sizes are bins of
// PHP 7, so that the usage is what was asked for; in PHP 5 each has its header on top.
const MIX: readonly number[] = [80, 48, 80, 320, 112, 80, 256, 48, 1280, 80, 640, 80];
/** Tables: one of these after so many blocks of the mix. */
const TABLES: readonly number[] = [2560, 8192, 3072];
const BLOCKS_PER_TABLE = 180;
const SMALLEST = 48;

/** Fills the heap with blocks of the engine's own until it reports `usage` bytes. They stay for good. */
export function engineBlocks(events: EventBuilder, php: number, usage: number): void {
  const header = php === 5 ? PHP5_HEADER : 0;
  let left = usage - (php === 5 ? PHP5_RESERVE : 0);
  for (let i = 0; ; i++) {
    const table = i % BLOCKS_PER_TABLE === 0;
    const size = table ? TABLES[(i / BLOCKS_PER_TABLE) % TABLES.length]! : MIX[i % MIX.length]!;
    if (size + header > left) break;
    events.emalloc(0, size);
    left -= size + header;
  }
  for (; left >= 2 * SMALLEST + header; left -= SMALLEST + header) events.emalloc(0, SMALLEST);
  const rest = Math.floor(left / 8) * 8 - header;
  if (rest >= 16) events.emalloc(0, rest);
}

/** A line of output with a number in it: the value, the number as a string, the formatted line. All are freed at once. */
export function printLine(events: EventBuilder, php: number): void {
  const value = php === 5 ? ZVAL_GC_BYTES : 16;
  const blocks = [value, stringBytes(php, 19), stringBytes(php, 63)].map((size) => events.emalloc(0, size));
  for (const block of blocks) events.efree(0, block);
}
