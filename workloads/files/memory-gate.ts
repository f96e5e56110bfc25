/**
 * Work that goes on beside other work, and what becomes of it when memory comes to an end: that which began last is ended, and begins again when
 * another has finished. So there are fewer at a time where memory is short, and one alone has all of it.
 */
interface Active {
  /** Ends it at once; undefined where that cannot be done from outside. */
  end: (() => void) | undefined;
  isEnded: boolean;
}

/** Of all gates of this process, in the order in which they began. */
const active: Active[] = [];
const waitingForFinish: (() => void)[] = [];

interface Waiting {
  readonly enter: () => void;
  readonly rank: (() => number) | undefined;
}

export interface MemoryGate {
  /**
   * Executes work when it is let in; `endBy` takes what ends it. It is called again where it was ended, and must be as if it had not begun.
   * `rank` is asked whenever one of those that wait is let in: the highest goes before.
   */
  run<T>(work: (endBy: (end: () => void) => void) => Promise<T>, rank?: () => number): Promise<T>;
}

/** Lets so many in at a time, of equal rank in the order in which they come. `onFewer` is told how many that are from now on. */
export function createMemoryGate(width: number, onFewer?: (width: number) => void): MemoryGate {
  let allowed = width;
  let free = width;
  const waiting: Waiting[] = [];

  async function enter(rank: Waiting['rank']): Promise<void> {
    if (free > 0) free--;
    else await new Promise<void>((enter) => waiting.push({ enter, rank }));
  }

  function leave(): void {
    if (waiting.length === 0) {
      free++;
      return;
    }
    let best = 0;
    let highest = -Infinity;
    waiting.forEach(({ rank }, at) => {
      const own = rank?.() ?? 0;
      if (own <= highest) return;
      [best, highest] = [at, own];
    });
    const [next] = waiting.splice(best, 1);
    next!.enter();
  }

  function narrow(): void {
    if (allowed > 1) onFewer?.(--allowed);
    else leave();
  }

  return {
    async run(work, rank) {
      for (;;) {
        await enter(rank);
        const own: Active = { end: undefined, isEnded: false };
        active.push(own);
        try {
          return await work((end) => void (own.end = end));
        } catch (error) {
          if (!own.isEnded) throw error;
        } finally {
          active.splice(active.indexOf(own), 1);
          if (!own.isEnded) {
            leave();
            for (const resume of waitingForFinish.splice(0)) resume();
          }
        }
        await new Promise<void>((resolve) => waitingForFinish.push(resolve));
        narrow();
      }
    },
  };
}

/** Ends what began last, where something else goes on. @returns false where there is no such work. */
export function endLatest(): boolean {
  const going = active.filter(({ isEnded }) => !isEnded);
  const latest = going.findLast(({ end }) => end !== undefined);
  if (going.length < 2 || !latest) return false;
  latest.isEnded = true;
  latest.end!();
  return true;
}
