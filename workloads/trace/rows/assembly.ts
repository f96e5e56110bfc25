// AssemblyScript (https://www.assemblyscript.org): this file and layout.ts are compiled to WebAssembly, which is fast from its first row on.

import {
  A,
  B,
  BORN,
  COUNTS,
  DEAD,
  EFREES,
  EMALLOCS,
  ERESIZES,
  EXPECTED,
  HEAD,
  HEADS,
  LIST_OF,
  OBJECTS,
  OF_EMALLOC,
  OF_MALLOC,
  OWNERS,
  PASSES,
  REQUEST_BLOCKS,
  RESIZES,
  SIZES,
  SLOT,
  STATES,
  STORED,
  TOTALS,
  WRITES,
} from './layout.ts';

// As in sim/contract/event.ts.
const OP_BITS = 6;
const CLOCK_LIMIT: f64 = 2 ** 53;

/**
 * Looks at the rows from `from` on, up to `to` or the first that is uncommon or may break a rule, and returns it: tables are then as before it. No
 * thread begins in there. `first` is the trace's row that lies at the beginning of the columns.
 */
export function lookAtCommon(from: i32, to: i32, first: i32): i32 {
  let row = from;
  while (true) {
    row = lookAtPlain(row, to);
    if (row === to || !lookAtOther(row, first + row)) return row;
    row++;
  }
}

/**
 * Mallocs and frees. Which comes next is as good as random, and so is the thread: what they do is computed, without a branch between them. Only
 * numbers that lie in no table have to be told before, of four rows at once.
 */
function lookAtPlain(from: i32, to: i32): i32 {
  const heads = load<u32>(HEADS);
  const objects = load<u32>(OBJECTS);
  const expected = load<i32>(EXPECTED);
  const states = load<i32>(STATES);
  const sizes = load<i32>(SIZES);
  let row = from;
  while (row < to) {
    const end = row + 4 <= to && areInTables(row, heads, objects) ? row + 4 : row + 1;
    if (end === row + 1 && !isInTables(row, heads, objects)) break;
    for (; row < end; row++) {
      const state = <u8>(load<u8>(expected + load<i32>(row << 2, HEAD)) - 1);
      const slot = load<i32>(row << 2, SLOT);
      if (load<u8>(states + slot) !== state) return row;
      store<u8>(states + slot, 1 - state); // DEAD is 0, OF_MALLOC is 1
      store<i32>(sizes + (slot << 2), load<i32>(row << 2, A)); // of a block that is no more, it is never looked at
    }
  }
  return row;
}

/** Of four rows from this one on. */
function areInTables(row: i32, heads: i32, objects: i32): bool {
  const at = row << 2;
  const isHead = i32x4.lt_u(v128.load(at, HEAD), i32x4.splat(heads));
  const isObject = i32x4.lt_u(v128.load(at, SLOT), i32x4.splat(objects));
  const isLargest = i32x4.eq(v128.load(at, A), i32x4.splat(-1));
  return i32x4.all_true(v128.andnot(v128.and(isHead, isObject), isLargest));
}

function isInTables(row: i32, heads: u32, objects: u32): bool {
  const at = row << 2;
  return load<u32>(at, HEAD) < heads && load<u32>(at, SLOT) < objects && load<i32>(at, A) !== -1;
}

/** The row at this place of the columns, the trace's `row`; false where it is none that is looked at here. */
function lookAtOther(place: i32, row: i32): bool {
  const head = load<u32>(place << 2, HEAD);
  const slot = load<u32>(place << 2, SLOT);
  const a = load<u32>(place << 2, A);
  const b = load<u32>(place << 2, B);
  if (!isInTables(place, load<u32>(HEADS), load<u32>(OBJECTS))) return false;
  const kind = <i32>load<u8>(load<i32>(EXPECTED) + head) - 1;
  if (kind === PASSES) return slot === 0 && passes(<f64>a + <f64>b * 4294967296);
  const state = load<i32>(STATES) + slot;
  const size = load<i32>(SIZES) + (slot << 2);
  const now = <i32>load<u8>(state);
  if (kind === EMALLOCS) return now === DEAD && emalloc(head, slot, a, row);
  if (kind === EFREES) return now === OF_EMALLOC && efree(slot);
  if (kind === RESIZES || kind === ERESIZES) {
    const isRequest = kind === ERESIZES;
    const wanted = isRequest ? OF_EMALLOC : OF_MALLOC;
    if (now !== wanted || load<u32>(size) !== b || b === u32.MAX_VALUE || a === 0) return false;
    store<u32>(size, a);
    if (isRequest) seeRequest();
    return true;
  }
  if (kind === COUNTS) {
    const bytes = <u64>a * <u64>b;
    if (now !== DEAD || bytes >= <u64>u32.MAX_VALUE) return false;
    store<u8>(state, OF_MALLOC);
    store<u32>(size, <u32>bytes);
    return true;
  }
  if (kind !== WRITES || now !== OF_MALLOC) return false;
  const had = load<u32>(size);
  return had !== u32.MAX_VALUE && <u64>a + <u64>b <= <u64>had;
}

function passes(ns: f64): bool {
  const now = load<f64>(TOTALS) + ns;
  if (now >= CLOCK_LIMIT) return false;
  store<f64>(TOTALS, now);
  return true;
}

function emalloc(head: u32, slot: u32, bytes: u32, row: i32): bool {
  const list = load<i32>(load<i32>(LIST_OF) + ((head >>> OP_BITS) << 2));
  store<u8>(load<i32>(STATES) + slot, OF_EMALLOC);
  store<u32>(load<i32>(SIZES) + (slot << 2), bytes);
  store<i32>(load<i32>(OWNERS) + (slot << 2), list);
  store<i32>(load<i32>(BORN) + (slot << 2), row);
  countRequest(list, 1);
  return true;
}

function efree(slot: u32): bool {
  store<u8>(load<i32>(STATES) + slot, DEAD);
  countRequest(load<i32>(load<i32>(OWNERS) + (slot << 2)), -1);
  return true;
}

function countRequest(list: i32, change: i32): void {
  const at = load<i32>(REQUEST_BLOCKS) + (list << 2);
  store<i32>(at, load<i32>(at) + change);
  seeRequest();
}

function seeRequest(): void {
  store<f64>(TOTALS, 1, 8);
}

/** `count` bytes of what is stored as words, from `target` on; up to 15 words behind them are written too. */
export function widenBytes(target: i32, count: i32): void {
  for (let i = 0; i < count; i += 16) {
    const bytes = v128.load(STORED + i);
    const low = i16x8.extend_low_i8x16_u(bytes);
    const high = i16x8.extend_high_i8x16_u(bytes);
    const to = target + (i << 2);
    v128.store(to, i32x4.extend_low_i16x8_u(low));
    v128.store(to, i32x4.extend_high_i16x8_u(low), 16);
    v128.store(to, i32x4.extend_low_i16x8_u(high), 32);
    v128.store(to, i32x4.extend_high_i16x8_u(high), 48);
  }
}

/** The same of numbers of two bytes; up to 7 words behind them are written too. */
export function widenPairs(target: i32, count: i32): void {
  for (let i = 0; i < count; i += 8) {
    const pairs = v128.load(STORED + (i << 1));
    const to = target + (i << 2);
    v128.store(to, i32x4.extend_low_i16x8_u(pairs));
    v128.store(to, i32x4.extend_high_i16x8_u(pairs), 16);
  }
}
