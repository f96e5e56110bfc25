import type { Random } from '../../sim/contract/random.ts';
import type { BlockId, EventBuilder } from '../builder.ts';
import { interleave } from './interleave.ts';

/**
 * The thread pool of GCC's OpenMP runtime, as far as malloc sees it. The main thread is member 0 of every team. A team of
 * another size than the last one is a new block, and the old one goes when the new team is done. A larger team makes the
 * list of threads grow and creates what is missing, each thread with its table of thread-local storage (a calloc of the
 * creator, unless the stack was used before); a smaller one ends those that it does not need; one of a single thread
 * leaves the others parked.
 */
export interface OpenMp {
  /** Runs a parallel region; `body` is one member's part, its steps the places where others may run. */
  parallel(size: number, body: (member: number, thread: number) => Iterator<void>): void;
}

/** gomp_team: a header, and a part for each member. */
const TEAM_BYTES = 1344;
const TEAM_MEMBER_BYTES = 224;
/** The thread vector: 21 entries of 16 bytes with the libraries of ImageMagick loaded. */
const DTV_ENTRIES = 21;
const DTV_ENTRY_BYTES = 16;

export function createOpenMp(events: EventBuilder, random: Random): OpenMp {
  const workers: number[] = [];
  let list: BlockId | undefined;
  let listLength = 0;
  let lastTeam: BlockId | undefined;
  let lastSize = 1;
  let threads = 0; // that have ever been
  let stacks = 0; // with a table, in use or cached

  function resize(size: number): void {
    while (workers.length > size - 1) events.threadExit(workers.pop()!);
    if (size > listLength) {
      const bytes = 8 * (size + 1);
      if (list === undefined) list = events.malloc(0, bytes);
      else events.realloc(0, list, bytes);
      listLength = size;
    }
    const fresh = Array.from({ length: size - 1 - workers.length }, () => ++threads);
    for (const _ of fresh) {
      if (workers.length + fresh.length <= stacks) break;
      events.calloc(0, DTV_ENTRIES, DTV_ENTRY_BYTES);
      stacks++;
    }
    for (const thread of shuffled(fresh, random)) events.threadBegin(thread);
    workers.push(...fresh);
  }

  return {
    parallel(size, body) {
      if (size === 1) {
        for (const part = body(0, 0); !part.next().done; );
        return;
      }
      let team = lastTeam;
      if (size !== lastSize) {
        team = events.memalign(0, 64, TEAM_BYTES + TEAM_MEMBER_BYTES * size);
        resize(size);
      }
      const members = [0, ...workers].map((thread, member) => body(member, thread));
      for (const _ of interleave(members, (runnable) => random.integer(0, runnable - 1)));
      if (size !== lastSize && lastTeam !== undefined) events.free(0, lastTeam);
      lastTeam = team;
      lastSize = size;
    },
  };
}

function shuffled(items: readonly number[], random: Random): number[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** schedule(static): the iterations [first, last) of a member. */
export function staticShare(iterations: number, size: number, member: number): { first: number; last: number } {
  const share = Math.floor(iterations / size);
  const larger = iterations % size; // so many members have one more
  const first = member * share + Math.min(member, larger);
  return { first, last: first + share + (member < larger ? 1 : 0) };
}
