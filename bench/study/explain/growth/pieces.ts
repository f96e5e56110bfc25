import type { Bytes } from '../../../../sim/contract/units.ts';

/** Of blocks that realloc made grow, by object slot, how many of their bytes are of when. There may be as many as blocks, so no object is made for each. */
export function createPieces(slots: number, cohorts: number) {
  const placeOf = new Int32Array(slots); // 0: has none
  const free: number[] = [];
  let made = 0;
  let bytes = new Float64Array(64 * cohorts);

  function take(): number {
    const place = free.pop() ?? ++made;
    if ((place + 1) * cohorts > bytes.length) {
      const more = new Float64Array(2 * bytes.length);
      more.set(bytes);
      bytes = more;
    } else bytes.fill(0, place * cohorts, (place + 1) * cohorts);
    return place;
  }

  return {
    has: (slot: number): boolean => placeOf[slot] !== 0,
    of: (slot: number, cohort: number): Bytes => bytes[placeOf[slot]! * cohorts + cohort]!,
    /** The block grows, or is cut: what it has less it lost last. Where it has no pieces yet, all of it is of `cohort`. */
    resize(slot: number, old: Bytes, cohort: number, size: Bytes, now: number): void {
      if (placeOf[slot] === 0) {
        placeOf[slot] = take();
        bytes[placeOf[slot]! * cohorts + cohort] = old;
      }
      const first = placeOf[slot]! * cohorts;
      if (size > old) bytes[first + now]! += size - old;
      for (let at = first + cohorts - 1, less = old - size; less > 0; at--) {
        const lost = Math.min(less, bytes[at]!);
        bytes[at]! -= lost;
        less -= lost;
      }
    },
    drop(slot: number): void {
      if (placeOf[slot] === 0) return;
      free.push(placeOf[slot]!);
      placeOf[slot] = 0;
    },
  };
}
