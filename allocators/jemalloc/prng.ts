/**
 * jemalloc's linear congruential generator (prng.h): state × 6364136223846793005 + 1442695040888963407 modulo 2^64, of
 * which the upper bits are used. The 64-bit state lies in two words of an Int32Array, the high one first.
 */
const A_HIGH = 0x5851f42d;
const A_LOW = 0x4c957f2d;
const C_HIGH = 0x14057b7e;
const C_LOW = 0xf767814f;

/** Sets the state to an address below 2^53. */
export function seedPrng(words: Int32Array, at: number, address: number): void {
  words[at] = Math.floor(address / 0x100000000);
  words[at + 1] = address | 0;
}

/** The upper half of a × b, both taken as unsigned 32-bit; its sign is of no account. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // No sum passes 2^32 - 1.
  const middle = Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16);
  const carried = Math.imul(aLow, bHigh) + (middle & 0xffff);
  return Math.imul(aHigh, bHigh) + (middle >>> 16) + (carried >>> 16);
}

/** prng_state_next_u64; the new high word, unsigned. */
function nextState(words: Int32Array, at: number): number {
  const high = words[at]!;
  const low = words[at + 1]!;
  const sum = (Math.imul(low, A_LOW) >>> 0) + C_LOW;
  const carry = sum > 0xffffffff ? 1 : 0;
  const top = (multiplyHigh(low, A_LOW) + Math.imul(low, A_HIGH) + Math.imul(high, A_LOW) + C_HIGH + carry) | 0;
  words[at] = top;
  words[at + 1] = sum | 0;
  return top >>> 0;
}

/** prng_lg_range_u64 for up to 32 bits. */
export function prngBits(words: Int32Array, at: number, bits: number): number {
  return nextState(words, at) >>> (32 - bits);
}

/** prng_range_u64: an integer in [0, range); draws again while the bits are too large. */
export function prngRange(words: Int32Array, at: number, range: number): number {
  if (range === 1) return 0;
  if (range <= 2 ** 32) {
    const shift = Math.clz32(range - 1);
    for (;;) {
      const value = nextState(words, at) >>> shift;
      if (value < range) return value;
    }
  }
  let bits = 33;
  while (2 ** bits < range) bits++;
  for (;;) {
    const top = nextState(words, at);
    const value = top * 2 ** (bits - 32) + Math.floor((words[at + 1]! >>> 0) / 2 ** (64 - bits));
    if (value < range) return value;
  }
}

/** ticker_geom_table: the logarithm of 64 / (i + 1), scaled so that the largest is a byte. */
const GEOMETRIC_SCALE = 61;
export const GEOMETRIC: readonly number[] = Array.from({ length: 64 }, (_, i) =>
  Math.round(Math.log(64 / (i + 1)) * GEOMETRIC_SCALE),
);
/** ARENA_DECAY_NTICKS_PER_UPDATE */
export const DECAY_TICKS = 1000;

/** ticker_geom_fixup: how many arena operations until the next look at decay; geometric, mean 1000. */
export function geometricTicks(words: Int32Array, at: number): number {
  return Math.floor((DECAY_TICKS * GEOMETRIC[prngBits(words, at, 6)]!) / GEOMETRIC_SCALE);
}
