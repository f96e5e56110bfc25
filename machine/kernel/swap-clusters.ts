/** Slots of an area in clusters of 512 (swap_cluster_info): one page takes them one after the other, a huge page takes a whole one. */
const SWAPFILE_CLUSTER = 512;
const FREE = 0;
const USED = 1;
/** Free in a cluster that others are used in. */
const LEFT_OVER = 2;

export class SwapClusters {
  private readonly state: Uint8Array;
  private readonly used: Uint16Array;
  /** Clusters of which nothing is used: the first is taken first. */
  private readonly free: number[] = [];
  private readonly leftOver: number[] = [];
  private at = 0;
  private end = 0;

  /** Slot 0 is the header, which makes the first cluster a used one: its other slots are taken when no cluster is free. */
  constructor(slots: number) {
    this.state = new Uint8Array(slots);
    this.used = new Uint16Array(Math.ceil(slots / SWAPFILE_CLUSTER));
    if (slots === 0) return;
    this.state[0] = USED;
    this.used[0] = 1;
    for (let cluster = this.used.length - 1; cluster > 0; cluster--) this.free.push(cluster);
    for (let slot = Math.min(slots, SWAPFILE_CLUSTER) - 1; slot > 0; slot--) {
      this.state[slot] = LEFT_OVER;
      this.leftOver.push(slot);
    }
  }

  /** scan_swap_map_slots: of the processor's own cluster, then of a free one, then of any. @returns 0 where there is none. */
  take(): number {
    if (this.at === this.end) {
      const cluster = this.free.pop();
      if (cluster === undefined) return this.takeLeftOver();
      this.at = cluster * SWAPFILE_CLUSTER;
      this.end = Math.min(this.state.length, this.at + SWAPFILE_CLUSTER);
    }
    return this.use(this.at++);
  }

  /** swap_alloc_cluster: the first of 512, or 0. */
  takeCluster(): number {
    const cluster = this.free.findLast((one) => (one + 1) * SWAPFILE_CLUSTER <= this.state.length);
    if (cluster === undefined) return 0;
    this.free.splice(this.free.lastIndexOf(cluster), 1);
    const first = cluster * SWAPFILE_CLUSTER;
    for (let slot = first; slot < first + SWAPFILE_CLUSTER; slot++) this.use(slot);
    return first;
  }

  give(slot: number): void {
    const cluster = Math.floor(slot / SWAPFILE_CLUSTER);
    this.used[cluster]!--;
    const first = cluster * SWAPFILE_CLUSTER;
    const isCurrent = this.at < this.end && Math.floor(this.at / SWAPFILE_CLUSTER) === cluster;
    if (this.used[cluster] === 0 && !isCurrent) {
      this.state.fill(FREE, first, first + SWAPFILE_CLUSTER);
      this.free.unshift(cluster);
      return;
    }
    this.state[slot] = LEFT_OVER;
    this.leftOver.push(slot);
  }

  private use(slot: number): number {
    this.state[slot] = USED;
    this.used[Math.floor(slot / SWAPFILE_CLUSTER)]!++;
    return slot;
  }

  private takeLeftOver(): number {
    for (;;) {
      const slot = this.leftOver.pop();
      if (slot === undefined) return 0;
      if (this.state[slot] === LEFT_OVER) return this.use(slot);
    }
  }
}
