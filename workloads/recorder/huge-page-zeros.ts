import { joined, type PageRun } from './page-runs.ts';

/** Parts of huge pages of one block that have zeros: they came so, or the program has written them. */
export interface HugePageZeros {
  /** The parts had the pattern when the block was allocated. */
  readonly fill: (run: PageRun) => void;
  /** They have zeros; where nobody saw them before, they came behind `lastLook`. */
  readonly see: (run: PageRun, lastLook: number) => void;
  readonly runs: () => readonly (PageRun & { readonly lastLook: number })[];
  /**
   * Whether the program writes zeros to the block, so that these have zeros from it as well. Nobody is given a whole huge page of zeros without writing
   * something there, and of what had the pattern most has zeros now. `firstPage`: the block's; `isWritten`: with something else.
   */
  readonly areWritten: (firstPage: number, isWritten: (page: number) => boolean) => boolean;
}

const HUGE_PAGES = 512;
/** Of a page. */
const [FILLED, ZERO] = [1, 2];

export function createHugePageZeros(): HugePageZeros {
  let marks = new Uint8Array(0);
  const seen: (PageRun & { readonly lastLook: number })[] = [];

  /** Those that did not have it. */
  function mark({ first, count }: PageRun, bit: number): PageRun[] {
    const end = first + count;
    if (end > marks.length) {
      const grown = new Uint8Array(Math.max(end, 2 * marks.length));
      grown.set(marks);
      marks = grown;
    }
    const runs: PageRun[] = [];
    for (let page = first; page < end; page++) {
      let next = page;
      while (next < end && (marks[next]! & bit) === 0) marks[next++]! |= bit;
      if (next > page) runs.push({ first: page, count: next - page });
      page = next;
    }
    return runs;
  }

  return {
    fill: (run) => void mark(run, FILLED),
    see(run, lastLook) {
      for (const part of mark(run, ZERO)) seen.push({ ...part, lastLook });
    },
    runs: () => seen,
    areWritten(firstPage, isWritten) {
      if (joined(seen).some(({ first, count }) => hasHugePage(firstPage + first, count))) return true;
      let [zeros, patterns] = [0, 0];
      marks.forEach((bits, page) => {
        if (bits === (FILLED | ZERO)) zeros++;
        else if (bits === FILLED && !isWritten(page)) patterns++;
      });
      return zeros > patterns;
    },
  };
}

function hasHugePage(first: number, count: number): boolean {
  return Math.ceil(first / HUGE_PAGES) * HUGE_PAGES + HUGE_PAGES <= first + count;
}
