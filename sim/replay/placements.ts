import type { Allocator, Handle } from '../contract/allocator.ts';
import { realAddress } from '../kernel/layout.ts';

/** `<event index> <address in hex> <usable size>`, without the line end; a failed allocation is 0 0. */
export function placementLine(row: number, allocator: Allocator, handle: Handle): string {
  if (handle === 0) return `${row} 0 0`;
  return `${row} ${realAddress(allocator.addressOf(handle)).toString(16)} ${allocator.usableSize(handle)}`;
}
