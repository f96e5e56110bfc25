import { setImmediate } from 'node:timers/promises';

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

/** `About` is what work is known by. */
export interface MemoryGate<About = void> {
  /** Executes work when it is let in; `endBy` takes what ends it. It is called again where it was ended, and must be as if it had not begun. */
  run<T>(work: (endBy: (end: () => void) => void) => Promise<T>, about: About): Promise<T>;
}

export interface MemoryGateOptions<About> {
  /** Told how many are let in at a time from now on. */
  readonly onFewer?: (width: number) => void;
  /** Which of those that wait, in the order in which they came, is let in next. Default: the first. */
  readonly choose?: ((waiting: readonly About[]) => number) | undefined;
}

/** Lets so many in at a time. */
export function createMemoryGate<About = void>(
  width: number,
  { onFewer, choose = () => 0 }: MemoryGateOptions<About> = {},
): MemoryGate<About> {
  let allowed = width;
  let free = width;
  const waiting: { readonly about: About; readonly enter: () => void }[] = [];

  async function enter(about: About): Promise<void> {
    if (free > 0) free--;
    else await new Promise<void>((enter) => waiting.push({ about, enter }));
  }

  /** What comes because something has finished is there to choose from. */
  async function leave(): Promise<void> {
    await setImmediate();
    if (waiting.length === 0) {
      free++;
      return;
    }
    const [next] = waiting.splice(choose(waiting.map(({ about }) => about)), 1);
    next!.enter();
  }

  function narrow(): void {
    if (allowed > 1) onFewer?.(--allowed);
    else void leave();
  }

  return {
    async run(work, about) {
      for (;;) {
        await enter(about);
        const own: Active = { end: undefined, isEnded: false };
        active.push(own);
        try {
          return await work((end) => void (own.end = end));
        } catch (error) {
          if (!own.isEnded) throw error;
        } finally {
          active.splice(active.indexOf(own), 1);
          if (!own.isEnded) {
            void leave();
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
