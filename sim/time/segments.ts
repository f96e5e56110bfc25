import type { ThreadSlot } from '../contract/allocator.ts';
import type { Beginning } from '../contract/beginning.ts';
import type { Ns } from '../contract/units.ts';

// What a call of a model has done, in the order in which it takes time. The code of a segment is its kind, and from KIND_BITS on what it is about.
export const USER = 0; // on the processor, in the program; `ns` long
export const KERNEL = 1; // the same in the kernel, which keeps its processor
export const ACQUIRE = 2; // a lock
export const RELEASE = 3;
export const DOWN_READ = 4; // mmap_lock as a reader
export const UP_READ = 5;
export const PUSH = 6; // an atomic operation on a lock's line
export const DOWNGRADE = 7; // a writer of mmap_lock goes on as a reader
export const MARK = 8; // nothing: whoever left it wants to know when
export const REPEAT = 9; // a page fault, the three segments before, once more: so many times as the code says
export const KIND_BITS = 4;
export const KIND_MASK = (1 << KIND_BITS) - 1;

/**
 * The segments that are still to be played, by thread:
 *
 *   thread   [ USER 40 ][ ACQUIRE 7 ][ USER 60 ][ RELEASE 7 ][ MARK ]
 *                       ↑ head: what comes before has been played      ↑ tail
 */
export interface SegmentLog {
  readonly codes: Int32Array[];
  readonly ns: Float64Array[];
  readonly head: Int32Array;
  /** Also the number of segments since the log was empty: 0 where nothing is to be played. */
  readonly tail: Int32Array;
  append(t: ThreadSlot, code: number, argument: number): void;
  /** Time on the processor: joins the last segment where that is alike. */
  appendTime(t: ThreadSlot, kind: typeof USER | typeof KERNEL, ns: Ns): void;
  /** Time on the processor that is still to be played. */
  pendingNs(t: ThreadSlot): Ns;
}

const FIRST_SEGMENTS = 16;

export function createSegmentLog(threads: number, { keep }: Beginning): SegmentLog {
  const codes = Array.from({ length: threads }, () => new Int32Array(FIRST_SEGMENTS));
  const durations = Array.from({ length: threads }, () => new Float64Array(FIRST_SEGMENTS));
  const head = keep(new Int32Array(threads));
  const tail = keep(new Int32Array(threads));

  function grow(t: ThreadSlot): void {
    const wider = new Int32Array(codes[t]!.length * 2);
    wider.set(codes[t]!);
    codes[t] = wider;
    const longer = new Float64Array(wider.length);
    longer.set(durations[t]!);
    durations[t] = longer;
  }

  function append(t: ThreadSlot, code: number, argument: number): void {
    const i = tail[t]!;
    if (i === codes[t]!.length) grow(t);
    codes[t]![i] = code;
    durations[t]![i] = argument;
    tail[t] = i + 1;
  }

  function appendTime(t: ThreadSlot, kind: typeof USER | typeof KERNEL, ns: Ns): void {
    const last = tail[t]! - 1;
    if (last >= head[t]! && codes[t]![last] === kind) durations[t]![last]! += ns;
    else append(t, kind, ns);
  }

  function pendingNs(t: ThreadSlot): Ns {
    let ns = 0;
    for (let i = head[t]!; i < tail[t]!; i++) {
      const kind = codes[t]![i]! & KIND_MASK;
      if (kind === USER || kind === KERNEL) ns += durations[t]![i]!;
      else if (kind === REPEAT) ns += (codes[t]![i]! >>> KIND_BITS) * durations[t]![i - 2]!;
    }
    return ns;
  }

  return { codes, ns: durations, head, tail, append, appendTime, pendingNs };
}
