// AssemblyScript (https://www.assemblyscript.org): this file and layout.ts are compiled to WebAssembly, which knows words of 64 bits, looks at
// 16 bytes at a time, and is fast from its first line on.

import {
  A,
  B,
  CLOCK_NS,
  FREE_SLOT,
  HEAD,
  IDS_MAX,
  LIVE_BYTES,
  NEXT,
  OBJECT_SLOTS,
  OTHER_ROWS,
  PEAK_BYTES,
  ROWS,
  ROWS_MAX,
  SIZES,
  SLOT,
  SLOT_OF_ID,
  THREAD,
  THREAD_SLOT,
  THREADS,
  THREADS_MAX,
} from './layout.ts';

// As in sim/contract/event.ts.
const OP_BITS = 6;
const OP_FREE = 1; // and malloc is 0
const OP_CALLOC = 2;
const OP_REALLOC = 3;
const OP_CLOCK = 14;
const CLOCK_LIMIT: f64 = 2 ** 53;

const LF = 10;
const SPACE = 32;
const NINE = 57;
/** A letter and a space, as one number. */
const CALLOC = 0x2063;
const FREE = 0x2066;
const REALLOC = 0x2072;
const CLOCK = 0x202b;
const FREE_TO_MALLOC = 7;
const LONGEST_NUMBER = 8;

/**
 * Reads lines from `from` on, up to `to` or the first that has another form or breaks a rule, or for ROWS_MAX rows; returns where the
 * next one starts. `to` is behind a line end.
 */
export function takeLines(from: i32, to: i32): i32 {
  const most = load<i32>(ROWS) + ROWS_MAX;
  let start = from;
  while (true) {
    start = takeCommon(start, to, most);
    if (start >= to || load<i32>(ROWS) === most) return start;
    const next = takeOther(start);
    if (next === start) return start;
    start = next;
  }
}

/** The highest bit of each of 32 bytes. */
function bits(low: v128, high: v128): i32 {
  return i8x16.bitmask(low) | (i8x16.bitmask(high) << 16);
}

/** Which of the bytes of a line are no digits, behind its letter and a space. */
function endsOfNumbers(low: v128, high: v128): i32 {
  // Sums of bytes wrap: of digits, and of nothing else, they are the ten highest that are positive.
  const lift = i8x16.splat(<i8>(127 - NINE));
  const below = i8x16.splat(<i8>(127 - 10));
  return ~bits(i8x16.gt_s(i8x16.add(low, lift), below), i8x16.gt_s(i8x16.add(high, lift), below)) & ~3;
}

/** The number that the first 1 to 8 bytes are. */
function numberOf(text: u64, length: i32): i32 {
  const digits = (text ^ 0x3030303030303030) << (64 - ((<u64>length) << 3));
  const pairs = ((digits * (1 + (10 << 8))) >> 8) & 0x00ff00ff00ff00ff;
  const fours = ((pairs * (1 + (100 << 16))) >> 16) & 0x0000ffff0000ffff;
  return <i32>((fours * (1 + ((<u64>10_000) << 32))) >> 32);
}

/**
 * Lines `m T O SIZE` and `f T O`, as takeLines.
 *
 * Whether a line is a malloc, and how many digits a number has, is as good as random: a branch on it would be guessed wrong half the time, and
 * cost as much as reading the number. So there is none: what a malloc does and a free does not is masked (`ofMalloc` has all bits in a malloc,
 * none in a free), and all that may be wrong is gathered and looked at once.
 *
 *   m 0 1234 209⏎       ends    ...x....x...x      in a free the second is the line's
 *      │    │   │
 *    end1 end2 end2 + span
 */
function takeCommon(from: i32, to: i32, most: i32): i32 {
  let row = load<i32>(ROWS);
  let free = load<i32>(FREE_SLOT);
  let fresh = load<i32>(OBJECT_SLOTS);
  let live = <i64>load<f64>(LIVE_BYTES);
  let peak = <i64>load<f64>(PEAK_BYTES);
  let thread = load<i32>(THREAD);
  let t = load<i32>(THREAD_SLOT);
  let start = from;
  while (start < to && row < most) {
    const low = v128.load(start);
    const high = v128.load(start, 16);
    const lf = i8x16.splat(<i8>LF);
    const lineEnd = ctz(bits(i8x16.eq(low, lf), i8x16.eq(high, lf)));
    const ends = endsOfNumbers(low, high);
    const afterFirst = ends & (ends - 1);
    const end1 = ctz(ends);
    const end2 = ctz(afterFirst);
    const kind = <i32>load<u16>(start);
    const isMalloc = kind & 1;
    const ofMalloc = -isMalloc;
    const span = (ctz(afterFirst & (afterFirst - 1)) - end2) & ofMalloc;
    const idLength = end2 - end1 - 1;
    const sizeLength = span - isMalloc;
    let wrong = kind ^ (FREE + (FREE_TO_MALLOC & ofMalloc));
    wrong |= lineEnd ^ (end2 + span);
    wrong |= <i32>load<u8>(start + end1) ^ SPACE;
    wrong |= <i32>load<u8>(start + end2) ^ (LF + ((SPACE - LF) & ofMalloc));
    wrong |= ((end1 - 3) | (4 - end1)) >> 31; // the thread has one digit or two
    wrong |= ((idLength - 1) | (LONGEST_NUMBER - idLength)) >> 31;
    wrong |= ((sizeLength - isMalloc) | (LONGEST_NUMBER - sizeLength)) >> 31;
    if (wrong) break;
    const digits = (<i32>load<u16>(start, 2) & 0x0f0f) << ((4 - end1) << 3);
    const actor = (digits & 15) * 10 + ((digits >> 8) & 15);
    const actorSlot = load<i32>(THREADS + (actor << 2)) - 1;
    const id = numberOf(load<u64>(start + end1, 1), idLength);
    const bytes = numberOf(load<u64>(start + end2, 1), sizeLength) & ofMalloc;
    if (actorSlot < 0 || id >= IDS_MAX) break;

    // A malloc's object is dead, a free's is not.
    const old = load<i32>(SLOT_OF_ID + (id << 2));
    if (<i32>(old !== 0) === isMalloc) break;
    if ((free | (isMalloc ^ 1)) === 0) {
      free = fresh++;
      store<i32>(NEXT + (free << 2), 0);
    }
    const taken = free & ofMalloc;
    const slot = old | taken;
    const after = load<i32>(NEXT + (free << 2));
    store<i32>(SLOT_OF_ID + (id << 2), taken);
    store<i32>(NEXT + (old << 2), free); // of slot 0, which is nobody's, in a malloc
    free = (after & ofMalloc) | old;
    live += <i64>bytes - <i64>load<u32>(SIZES + (old << 2));
    store<i32>(SIZES + (slot << 2), bytes);
    if (live > peak) peak = live;
    store<i32>(row << 2, (actorSlot << OP_BITS) | (isMalloc ^ OP_FREE), HEAD);
    store<i32>(row << 2, slot, SLOT);
    store<i32>(row << 2, bytes, A);
    row++;
    thread = actor;
    t = actorSlot;
    start += lineEnd + 1;
  }
  store<i32>(ROWS, row);
  store<i32>(FREE_SLOT, free);
  store<i32>(OBJECT_SLOTS, fresh);
  store<f64>(LIVE_BYTES, <f64>live);
  store<f64>(PEAK_BYTES, <f64>peak);
  store<i32>(THREAD, thread);
  store<i32>(THREAD_SLOT, t);
  return start;
}

/** Of the line in takeOther: where the next number is, and the ends that are still to come. */
let at: i32 = 0;
let ends: i32 = 0;

/** The next number of the line at `start`, which ends in `separator`; -1 where there is none that is read here. */
function nextNumber(start: i32, separator: i32): i32 {
  const end = ctz(ends);
  const length = end - at;
  if (length < 1 || length > LONGEST_NUMBER || <i32>load<u8>(start + end) !== separator) return -1;
  ends &= ends - 1;
  const number = numberOf(load<u64>(start + at), length);
  at = end + 1;
  return number;
}

/** The line at `start` where it is `c T O COUNT SIZE`, `r T O SIZE` or `+ NS`, and breaks no rule; returns where the next one starts. */
function takeOther(start: i32): i32 {
  const kind = <i32>load<u16>(start);
  ends = endsOfNumbers(v128.load(start), v128.load(start, 16));
  at = 2;
  if (kind === CLOCK) return takeClock(start);
  if (kind !== CALLOC && kind !== REALLOC) return start;
  const thread = nextNumber(start, SPACE);
  const id = nextNumber(start, SPACE);
  if (thread < 0 || thread >= THREADS_MAX || id < 0 || id >= IDS_MAX) return start;
  const t = load<i32>(THREADS + (thread << 2)) - 1;
  if (t < 0) return start;
  const slot = load<i32>(SLOT_OF_ID + (id << 2));
  const isTaken = kind === CALLOC ? takeCalloc(start, t, id, slot) : takeRealloc(start, t, slot);
  if (!isTaken) return start;
  store<i32>(THREAD, thread);
  store<i32>(THREAD_SLOT, t);
  return start + at;
}

function takeCalloc(start: i32, t: i32, id: i32, old: i32): bool {
  const count = nextNumber(start, SPACE);
  const size = nextNumber(start, LF);
  const bytes = <i64>count * <i64>size;
  if (count < 0 || size < 0 || bytes > <i64>u32.MAX_VALUE || old !== 0) return false;
  let slot = load<i32>(FREE_SLOT);
  if (slot !== 0) {
    store<i32>(FREE_SLOT, load<i32>(NEXT + (slot << 2)));
  } else {
    slot = load<i32>(OBJECT_SLOTS);
    store<i32>(OBJECT_SLOTS, slot + 1);
  }
  store<i32>(SLOT_OF_ID + (id << 2), slot);
  store<u32>(SIZES + (slot << 2), <u32>bytes);
  addLive(bytes);
  putRow((t << OP_BITS) | OP_CALLOC, slot, count, size);
  return true;
}

function takeRealloc(start: i32, t: i32, slot: i32): bool {
  const size = nextNumber(start, LF);
  if (size < 1 || slot === 0) return false;
  const old = load<u32>(SIZES + (slot << 2));
  store<i32>(SIZES + (slot << 2), size);
  addLive(<i64>size - <i64>old);
  putRow((t << OP_BITS) | OP_REALLOC, slot, size, old);
  return true;
}

function takeClock(start: i32): i32 {
  const ns = nextNumber(start, LF);
  const now = load<f64>(CLOCK_NS) + <f64>ns;
  if (ns < 0 || now >= CLOCK_LIMIT) return start;
  store<f64>(CLOCK_NS, now);
  putRow((load<i32>(THREAD_SLOT) << OP_BITS) | OP_CLOCK, 0, ns, 0);
  return start + at;
}

function addLive(bytes: i64): void {
  const live = load<f64>(LIVE_BYTES) + <f64>bytes;
  store<f64>(LIVE_BYTES, live);
  store<f64>(PEAK_BYTES, max<f64>(load<f64>(PEAK_BYTES), live));
}

function putRow(head: i32, slot: i32, a: i32, b: i32): void {
  const row = load<i32>(ROWS);
  store<i32>(row << 2, head, HEAD);
  store<i32>(row << 2, slot, SLOT);
  store<i32>(row << 2, a, A);
  store<i32>(row << 2, b, B);
  store<i32>(ROWS, row + 1);
  store<i32>(OTHER_ROWS, load<i32>(OTHER_ROWS) + 1);
}
