import { UserError } from '../../sim/contract/assert.ts';

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
