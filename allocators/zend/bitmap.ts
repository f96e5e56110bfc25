// The bitmap of a chunk's pages: 512 bits in 16 words of `words` from index `at`; a set bit is a page in use.

/** zend_mm_bitset_set_range. */
export function setRange(words: Int32Array, at: number, start: number, length: number): void {
  const end = start + length;
  for (let bit = start; bit < end; ) {
    const index = at + (bit >>> 5);
    const low = bit & 31;
    const count = Math.min(32 - low, end - bit);
    words[index]! |= maskOf(low, count);
    bit += count;
  }
}

/** zend_mm_bitset_reset_range. */
export function resetRange(words: Int32Array, at: number, start: number, length: number): void {
  const end = start + length;
  for (let bit = start; bit < end; ) {
    const index = at + (bit >>> 5);
    const low = bit & 31;
    const count = Math.min(32 - low, end - bit);
    words[index]! &= ~maskOf(low, count);
    bit += count;
  }
}

/** zend_mm_bitset_is_free_range. */
export function isFreeRange(words: Int32Array, at: number, start: number, length: number): boolean {
  const end = start + length;
  for (let bit = start; bit < end; ) {
    const low = bit & 31;
    const count = Math.min(32 - low, end - bit);
    if ((words[at + (bit >>> 5)]! & maskOf(low, count)) !== 0) return false;
    bit += count;
  }
  return true;
}

/** zend_mm_bitset_is_set. */
export function isSet(words: Int32Array, at: number, bit: number): boolean {
  return ((words[at + (bit >>> 5)]! >>> (bit & 31)) & 1) !== 0;
}

/** The first clear bit at or after `from`; `end` where there is none before it. */
export function findClear(words: Int32Array, at: number, from: number, end: number): number {
  if (from >= end) return end;
  let index = from >>> 5;
  let clear = ~words[at + index]! & (-1 << (from & 31));
  while (clear === 0) {
    index++;
    if (index << 5 >= end) return end;
    clear = ~words[at + index]!;
  }
  return Math.min(end, (index << 5) + lowestBit(clear));
}

/** The first set bit at or after `from`; `end` where there is none before it. */
export function findSet(words: Int32Array, at: number, from: number, end: number): number {
  if (from >= end) return end;
  let index = from >>> 5;
  let set = words[at + index]! & (-1 << (from & 31));
  while (set === 0) {
    index++;
    if (index << 5 >= end) return end;
    set = words[at + index]!;
  }
  return Math.min(end, (index << 5) + lowestBit(set));
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function maskOf(low: number, count: number): number {
  return count === 32 ? -1 : ((1 << count) - 1) << low;
}
