import { OP_BITS, OP_FREE } from '../../sim/contract/event.ts';

/** What of a compiler the commonest lines need: its tables as they are, and its counters, which are brought up to date. */
export interface LineState {
  head: Int32Array;
  slot: Int32Array;
  a: Uint32Array;
  /** By thread number, plus one; 0: not alive. */
  slotOfThread: Int32Array;
  slotOfId: Int32Array;
  size: Uint32Array;
  next: Int32Array;
  rows: number;
  freeSlot: number;
  objectSlots: number;
  liveBytes: number;
  peakBytes: number;
  /** Of the last line; unchanged where there was none. */
  thread: number;
  threadSlot: number;
}

/** No line that is read here is longer: four numbers of a word each are looked at behind the first letter. */
const LINE_BYTES = 32;
const LF = 10;
const TO_SPACE = 22; // from a line end
/** `f 0 ` as a number, without the thread's digit, and what makes it `m`. */
const FREE_WORD = 0x20302066;
const WORD_WITHOUT_DIGIT = 0xfff0ffff;
const TO_MALLOC = 0x0b;
const ZEROS = 0x30303030;
/** Set in every digit, and neither in a space nor in a line end. */
const DIGIT_BITS = 0x10101010;
const POWERS_OF_TEN = Int32Array.of(1, 10, 100, 1000);

/** Four digits, 0 to 9, of which the lowest byte stands first. */
function numberOf(digits: number): number {
  const pairs = (Math.imul(digits, 10) + (digits >>> 8)) & 0x00ff00ff;
  return (Math.imul(pairs, 100) + (pairs >>> 16)) & 0xffff;
}

/** Not 0 where one of the four is above 9. */
function beyondNine(digits: number): number {
  return (digits | (digits + 0x76767676)) & 0x80808080;
}

/** Of four bytes, as four bits, those that end a number. */
function endsIn(word: number): number {
  return Math.imul((~word & DIGIT_BITS) >>> 4, 0x10204080) >>> 28;
}

/** How many digits stand before the end of the number; -1 where it is not among the four. */
function digitsBefore(end: number): number {
  return (28 - Math.clz32(end & (0 - end))) >> 3;
}

/**
 * Reads lines `m T O SIZE` and `f T O`, of a thread below 10 that is alive, with at most seven digits a number, and puts them into the columns. Stops
 * in front of the first line that is anything else, or breaks a rule, or after `most` of them, and returns where.
 *
 * Whether a line is a malloc, and how many digits a number has, is as good as random: a branch on it would be guessed wrong half the time, and
 * cost as much as reading the number. So there is none. Numbers are taken apart four bytes at a time:
 *
 *   m 0 1234 209⏎     m 0 |1234| 209|⏎…     each | | is a word; where the first end in it lies, is counted in its bits
 *
 * and what a malloc does and a free does not is masked: `ofMalloc` has all bits in a malloc, none in a free. All that may be wrong is gathered in
 * `wrong` and looked at once.
 */
export function takeCommonLines(state: LineState, view: DataView, from: number, to: number, most: number): number {
  const { head, slot, a, slotOfThread, slotOfId, size, next } = state;
  const idLimit = slotOfId.length;
  const lastStart = to - LINE_BYTES;
  let {
    freeSlot: free,
    objectSlots: fresh,
    liveBytes: live,
    peakBytes: peak,
    rows: row,
    thread,
    threadSlot: t,
  } = state;
  const end = row + most;
  let start = from;
  while (start < lastStart && row < end) {
    const word = view.getInt32(start, true);
    const isMalloc = word & 1;
    const ofMalloc = (0 - isMalloc) | 0;
    const digit = (word >>> 16) & 15;
    const actor = (slotOfThread[digit]! - 1) | 0;
    let wrong = (word & WORD_WITHOUT_DIGIT) ^ FREE_WORD ^ (TO_MALLOC & ofMalloc);
    if ((wrong | ((digit + 6) & 16) | (actor >> 31)) !== 0) break;

    // The object: of up to seven digits the last four are in `low`.
    const [first, second] = [view.getInt32(start + 4, true), view.getInt32(start + 8, true)];
    const ends = endsIn(first) | (endsIn(second) << 4);
    const length = (31 - Math.clz32(ends & (0 - ends))) | 0;
    const shift = (32 - (length << 3)) | 0; // JavaScript shifts by its lowest five bits
    const isLong = shift >> 31;
    const shifted = (first ^ ZEROS) << shift;
    const high = shifted & isLong;
    const low = (shifted & ~isLong) | ((((first ^ ZEROS) >>> -shift) | ((second ^ ZEROS) << shift)) & isLong);
    wrong = beyondNine(high) | beyondNine(low);
    const id = (Math.imul(numberOf(high), 10_000) + numberOf(low)) | 0;

    // The size. Three digits or fewer are so much more often than more that this may be a branch.
    const idEnd = (start + 4 + length) | 0;
    const third = view.getInt32(idEnd + 1, true);
    const thirdEnd = ~third & DIGIT_BITS;
    let sizeLength = 0;
    let bytes = 0;
    if ((thirdEnd | (isMalloc ^ 1)) !== 0) {
      sizeLength = digitsBefore(thirdEnd);
      const digits = (((third ^ ZEROS) & ofMalloc) << (32 - (sizeLength << 3))) & ((0 - sizeLength) >> 31);
      wrong |= beyondNine(digits);
      bytes = numberOf(digits);
    } else {
      const fourth = view.getInt32(idEnd + 5, true);
      const more = digitsBefore(~fourth & DIGIT_BITS);
      sizeLength = (4 + more) | 0;
      const upper = third ^ ZEROS;
      const lower = ((fourth ^ ZEROS) << (31 - (more << 3))) << 1; // by 32 where there is none
      wrong |= beyondNine(upper) | beyondNine(lower) | (more >> 31);
      bytes = (Math.imul(numberOf(upper), POWERS_OF_TEN[more & 3]!) + numberOf(lower)) | 0;
    }
    const lineEnd = (idEnd + ((sizeLength + 1) & ofMalloc)) | 0;
    wrong |= view.getUint8(lineEnd) ^ LF;
    wrong |= view.getUint8(idEnd) ^ (LF + (TO_SPACE & ofMalloc));
    wrong |= ((length - 1) | (sizeLength - isMalloc)) >> 31;
    if (wrong !== 0 || id >= idLimit) break;

    // A malloc's object is dead, a free's is not.
    const old = slotOfId[id]!;
    if ((old | (0 - old)) >>> 31 === isMalloc) break;
    if ((free | (isMalloc ^ 1)) === 0) {
      free = fresh;
      next[free] = 0;
      fresh++;
    }
    const taken = free & ofMalloc;
    const s = old | taken;
    const after = next[free]!;
    slotOfId[id] = taken;
    next[old] = free; // of slot 0, which is nobody's, in a malloc
    free = (after & ofMalloc) | old;
    live += bytes - size[old]!;
    size[s] = bytes;
    if (live > peak) peak = live;
    head[row] = (actor << OP_BITS) | (isMalloc ^ OP_FREE);
    slot[row] = s;
    a[row] = bytes;
    row++;
    thread = digit;
    t = actor;
    start = lineEnd + 1;
  }
  state.rows = row;
  state.freeSlot = free;
  state.objectSlots = fresh;
  state.liveBytes = live;
  state.peakBytes = peak;
  state.thread = thread;
  state.threadSlot = t;
  return start;
}
