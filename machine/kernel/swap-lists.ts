/** mmlist and shmem_swaplist: what has pages in swap, whoever came last first, in whose order swapoff brings them back. */

export class SwapList<T extends object> {
  private readonly members: T[] = [];
  private readonly present = new Set<T>();

  /** At the head (list_add), or behind `before`; who is on the list keeps its place. */
  add(member: T, before?: T): void {
    if (this.present.has(member)) return;
    this.present.add(member);
    this.members.splice(before ? this.members.indexOf(before) + 1 : 0, 0, member);
  }

  delete(member: T): void {
    if (this.present.delete(member)) this.members.splice(this.members.indexOf(member), 1);
  }

  /** In order; who goes or comes meanwhile is not waited for. */
  *[Symbol.iterator](): Generator<T> {
    for (const member of [...this.members]) if (this.present.has(member)) yield member;
  }
}
