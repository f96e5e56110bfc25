/**
 * Slots of an area in clusters of 512 (swap_cluster_info): one page takes them one after the other, a huge page takes a whole one. What was
 * never used has no memory here, however large the area is.
 */
const SWAPFILE_CLUSTER = 512;
/** States of a slot: 0 is one that was not taken since its cluster was free. */
const USED = 1;
/** Free in a cluster that others are used in. */
const LEFT_OVER = 2;

/** A cluster of which something is used. */
interface Cluster {
  readonly state: Uint8Array;
  used: number;
}

export class SwapClusters {
  private readonly slots: number;
  private readonly clusters = new Map<number, Cluster>();
  /** Free clusters are taken from the front: these, up to the area's end, were never used, */
  private untouched = 1;
  /** and these were, in the order in which they became free. */
  private freed: number[] = [];
  private readonly leftOver: number[] = [];
  private at = 0;
  private end = 0;

  /** Slot 0 is the header, which makes the first cluster a used one: its other slots are taken when no cluster is free. */
  constructor(slots: number) {
    this.slots = slots;
    if (slots === 0) return;
    this.use(0);
    const { state } = this.clusters.get(0)!;
    for (let slot = Math.min(slots, SWAPFILE_CLUSTER) - 1; slot > 0; slot--) {
      state[slot] = LEFT_OVER;
      this.leftOver.push(slot);
    }
  }

  /** scan_swap_map_slots: of the processor's own cluster, then of a free one, then of any. @returns 0 where there is none. */
  take(): number {
    if (this.at === this.end) {
      const cluster = this.firstFree(1);
      if (cluster === 0) return this.takeLeftOver();
      this.at = cluster * SWAPFILE_CLUSTER;
      this.end = Math.min(this.slots, this.at + SWAPFILE_CLUSTER);
    }
    return this.use(this.at++);
  }

  /** swap_alloc_cluster: the first of 512, or 0. */
  takeCluster(): number {
    const cluster = this.firstFree(SWAPFILE_CLUSTER);
    if (cluster === 0) return 0;
    const first = cluster * SWAPFILE_CLUSTER;
    for (let slot = first; slot < first + SWAPFILE_CLUSTER; slot++) this.use(slot);
    return first;
  }

  give(slot: number): void {
    const number = Math.floor(slot / SWAPFILE_CLUSTER);
    const cluster = this.clusters.get(number)!;
    cluster.used--;
    const isCurrent = this.at < this.end && Math.floor(this.at / SWAPFILE_CLUSTER) === number;
    if (cluster.used === 0 && !isCurrent) {
      this.clusters.delete(number);
      this.freed.push(number);
      return;
    }
    cluster.state[slot % SWAPFILE_CLUSTER] = LEFT_OVER;
    this.leftOver.push(slot);
  }

  /** Takes the first free cluster of at least so many slots: the area's last may have fewer. 0: there is none. */
  private firstFree(slots: number): number {
    if (this.untouched * SWAPFILE_CLUSTER + slots <= this.slots) return this.untouched++;
    const at = this.freed.findIndex((cluster) => cluster * SWAPFILE_CLUSTER + slots <= this.slots);
    if (at < 0) return 0;
    return this.freed.splice(at, 1)[0]!;
  }

  private use(slot: number): number {
    const number = Math.floor(slot / SWAPFILE_CLUSTER);
    let cluster = this.clusters.get(number);
    if (!cluster) {
      cluster = { state: new Uint8Array(SWAPFILE_CLUSTER), used: 0 };
      this.clusters.set(number, cluster);
    }
    cluster.state[slot % SWAPFILE_CLUSTER] = USED;
    cluster.used++;
    return slot;
  }

  private takeLeftOver(): number {
    for (;;) {
      const slot = this.leftOver.pop();
      if (slot === undefined) return 0;
      const state = this.clusters.get(Math.floor(slot / SWAPFILE_CLUSTER))?.state;
      if (state?.[slot % SWAPFILE_CLUSTER] === LEFT_OVER) return this.use(slot);
    }
  }
}

/** swap_map: a byte for each page of the area, in one piece of vmalloc's. */
export const swapMapPages = (pages: number): number => Math.ceil(pages / 4096);
/** With swap_cgroup_map: two bytes more for each. */
export const mapPages = (pages: number): number => swapMapPages(pages) + Math.ceil((pages * 2) / 4096);
