/** A task that waits for a thread. */
export interface WaitingTask {
  /** Of the machine that it can be made in; undefined where it has one of its own. */
  readonly shape: string | undefined;
  /** In virtual time, and so long that its machine is worth a thread of its own. */
  readonly isLong: boolean;
  /** So small that its machine may wait beside those of others. */
  readonly isSmall: boolean;
}

/** Threads, by the shapes of the machines that they keep. */
export interface KeptShapes {
  readonly idle: readonly (string | undefined)[];
  readonly atWork: readonly (string | undefined)[];
  /** Another thread may be started for a small one. */
  readonly mayGrow: boolean;
}

/**
 * What is made next. Runs in file order are short, and tell which others are needed. Of long ones the first of a shape, which the others of it can only
 * follow, comes before one for which a machine waits, unless that takes a machine away from one that waits. While a machine is at work another of its
 * shape would be made.
 */
const RANKS = { shortAndFinds: 5, short: 4, makes: 3, finds: 2, takesAway: 1, wouldMakeAgain: 0 } as const;

/** The place of the one that is best made next; of equal ones the first. */
export function chooseTask(waiting: readonly WaitingTask[], { idle, atWork, mayGrow }: KeptShapes): number {
  const isSpare = (kept: string | undefined) => kept === undefined || !waiting.some(({ shape }) => shape === kept);
  const hasSpare = idle.some(isSpare);
  const ranks = waiting.map(({ shape, isLong, isSmall }): number => {
    const finds = shape !== undefined && idle.includes(shape);
    if (!finds && shape !== undefined && atWork.includes(shape)) return RANKS.wouldMakeAgain;
    if (!isLong) return finds ? RANKS.shortAndFinds : RANKS.short;
    if (finds) return RANKS.finds;
    return hasSpare || (mayGrow && isSmall) ? RANKS.makes : RANKS.takesAway;
  });
  return ranks.indexOf(Math.max(...ranks));
}
