import { UserError } from '../../sim/contract/assert.ts';
import { bytes } from '../../sim/contract/format.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import { memoryRoom, roomText } from '../files/host-memory.ts';

/** Memory for `count` numbers of `width` bytes that workers can share; zero, and committed by the host as it is used. */
export function sharedBytes(count: number, width: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(count * width);
  } catch {
    throw new UserError(`found a trace with ${count} numbers in a column, expected one for which this host has memory`);
  }
}

export function sharedInt32(count: number): Int32Array {
  return new Int32Array(sharedBytes(count, 4));
}

export function sharedUint32(count: number): Uint32Array {
  return new Uint32Array(sharedBytes(count, 4));
}

export function sharedCopy(values: ArrayLike<number>): Int32Array {
  const column = sharedInt32(values.length);
  column.set(values);
  return column;
}

/** Of the four columns that every trace has. */
export const ROW_BYTES: Bytes = 16;
/** The rest is for what reads or runs them. */
const SHARE_OF_ROWS = 0.75;

/** Rows that there is memory for beside what is used already. */
export const mostRows = (room = memoryRoom()): number =>
  Math.max(0, Math.floor((room.bytes / ROW_BYTES) * SHARE_OF_ROWS));

/** The same; refuses `needed` rows where that is less: on the way to them the kernel would end the process. */
export function roomForRows(source: string, needed: number): number {
  const room = memoryRoom();
  const most = mostRows(room);
  if (needed <= most) return most;
  throw new UserError(
    `${source}: found ${needed} events or more, ${bytes(needed * ROW_BYTES)}, expected at most ${most}: ${roomText(room)}`,
  );
}
