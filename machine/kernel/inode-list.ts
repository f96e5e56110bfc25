/** fs/fs-writeback.c: the lists on which files wait for their flusher: b_dirty, b_io and b_more_io. */
import { type BdiWriteback, inodeToWb } from './backing-dev.ts';
import type { InodeList, InodeListed } from './inode-listed.ts';
import type { Kernel } from './kernel.ts';
import type { AddressSpace } from './mm-types.ts';
import { jiffiesOf } from './timer.ts';

const lastOrder = new WeakMap<Kernel, number>();

function nextOrder(k: Kernel): number {
  const order = (lastOrder.get(k) ?? 0) + 1;
  lastOrder.set(k, order);
  return order;
}

/** __mark_inode_dirty: a file that is on a list keeps its place and its age. */
export function markInodeDirty(k: Kernel, object: AddressSpace): void {
  object.listed ??= { list: 'dirty', dirtiedWhenUs: k.nowUs, order: 0 };
}

/** The files on one of the flusher's lists, in their order. */
function filesOn(k: Kernel, wb: BdiWriteback, list: InodeList): { object: AddressSpace; listed: InodeListed }[] {
  const files: { object: AddressSpace; listed: InodeListed }[] = [];
  for (const object of k.objects) {
    if (!object?.listed || object.listed.list !== list || inodeToWb(k, object) !== wb) continue;
    files.push({ object, listed: object.listed });
  }
  const key = ({ listed }: { listed: InodeListed }) => (list === 'dirty' ? listed.dirtiedWhenUs : listed.order);
  return files.sort((a, b) => key(a) - key(b));
}

/** wb_has_dirty_io. */
export const hasDirtyIo = (k: Kernel, wb: BdiWriteback): boolean =>
  k.objects.some((object) => object?.listed && inodeToWb(k, object) === wb);

/** The file whose turn it is. */
export const firstOfIo = (k: Kernel, wb: BdiWriteback): AddressSpace | undefined => filesOn(k, wb, 'io')[0]?.object;

/** queue_io: what was not finished, whatever its age, and then what became dirty by then. */
export function queueIo(k: Kernel, wb: BdiWriteback, dirtiedBefore: number): void {
  for (const { listed } of filesOn(k, wb, 'more')) move(k, listed, 'io');
  for (const { listed } of filesOn(k, wb, 'dirty'))
    if (jiffiesOf(listed.dirtiedWhenUs) <= dirtiedBefore) move(k, listed, 'io');
}

function move(k: Kernel, listed: InodeListed, list: InodeList): void {
  listed.list = list;
  listed.order = nextOrder(k);
}

/** requeue_inode, after a visit. `used`: all of its chunk was written. @returns whether the file is clean now, and on no list. */
export function requeueInode(k: Kernel, wb: BdiWriteback, object: AddressSpace, used: boolean): boolean {
  const { listed } = object;
  if (!listed) return true;
  if (object.dirty.size === 0) {
    object.listed = undefined;
    return true;
  }
  if (used) move(k, listed, 'more');
  else {
    // redirty_tail: behind those that became dirty since.
    const newest = filesOn(k, wb, 'dirty').at(-1);
    if (newest && jiffiesOf(listed.dirtiedWhenUs) < jiffiesOf(newest.listed.dirtiedWhenUs))
      listed.dirtiedWhenUs = k.nowUs;
    listed.list = 'dirty';
  }
  return false;
}
