import { isAllocating, OP_MASK, OP_SAMPLE, type Rows, type TraceSummary } from '../../../sim/contract/event.ts';

/** What is wrong with the tree of call stacks. */
export function siteTreeProblem({ siteParent, siteFrame, frames }: TraceSummary): string | undefined {
  for (let site = 1; site < siteParent.length; site++) {
    if (siteParent[site]! >>> 0 >= site) return `call site ${site} above the one that calls it`;
    if (siteFrame[site] === 0 || siteFrame[site]! >>> 0 >= frames.length)
      return `an unknown frame at call site ${site}`;
  }
  return undefined;
}

/** What is wrong with the call sites of `count` rows from `first` on, which begin the columns. */
export function rowSiteProblem(
  sites: ArrayLike<number>,
  head: Int32Array,
  count: number,
  first: number,
  siteCount: number,
): string | undefined {
  for (let i = 0; i < count; i++) {
    if (sites[i]! >>> 0 >= siteCount) return `event ${first + i}: an unknown call site`;
    if (sites[i] !== 0 && !isAllocating(head[i]! & OP_MASK)) return `event ${first + i}: a call site of no allocation`;
  }
  return undefined;
}

/** Looks at the observations up to a row, whose heads are in the columns. */
export function createObservationCheck(observations: TraceSummary['observations'], { head, mask }: Rows) {
  let next = 0;
  let before = -1;
  return (to: number): string | undefined => {
    for (; next < observations.length && observations[next]!.row < to; next++) {
      const { row } = observations[next]!;
      if (row <= before || (head[row & mask]! & OP_MASK) !== OP_SAMPLE)
        return `event ${row}: an observation of no sample`;
      before = row;
    }
    return undefined;
  };
}
