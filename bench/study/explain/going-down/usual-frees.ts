import { type EventBuffer, isAllocating, OP_EREALLOC, OP_MASK, OP_REALLOC } from '../../../../sim/contract/event.ts';
import { type FinalFrees, isFree, TORN_DOWN } from './final-frees.ts';

/** So often before, and what comes last is one more of them. */
const OFTEN = 2;

/**
 * Whether the program freed about as many at once before, most of what lived, and went on: what it drops last it drops as it did all along, as at the
 * end of each turn of a loop. That is said of most blocks that ever lived: a few are freed at once all the time.
 */
export function areUsual({ head, length }: EventBuffer, last: FinalFrees): boolean {
  const enough = last.frees * TORN_DOWN;
  let times = 0;
  let live = 0;
  let most = 0;
  let frees = 0;
  for (let row = 0; row < Math.min(length, last.row); row++) {
    const op = head[row]! & OP_MASK;
    if (isFree(op)) {
      frees++;
      live--;
    } else if (isAllocating(op)) {
      if (frees >= enough && frees >= (live + frees) * TORN_DOWN) times++;
      frees = 0;
      if (op !== OP_REALLOC && op !== OP_EREALLOC) most = Math.max(most, ++live);
    }
  }
  return times >= OFTEN && last.frees >= most * TORN_DOWN;
}
