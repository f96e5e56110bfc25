/** mm/zsmalloc.c: where zram keeps what it has compressed. Objects of one size, several to a zspage of one to four pages. */
import { assert } from '../../sim/contract/assert.ts';

const PAGE = 4096;
const MAX_PAGES_PER_ZSPAGE = 4;
const HANDLE_SIZE = 8;
const MIN_ALLOC_SIZE = 32;
const CLASS_DELTA = PAGE / 256;
/** fullness_threshold_frac: a zspage with three quarters of its objects or fewer is almost empty. */
const FULLNESS_FRACTION = 4;
/** struct zspage, and the object of a handle (pool->zspage_cachep, pool->handle_cachep). */
export const ZSPAGE_BYTES = 56;
export const ZS_HANDLE_BYTES = HANDLE_SIZE;

/** What a zspage of a class is made of. */
export interface ZsClass {
  /** Bytes of an object, with its handle. */
  readonly size: number;
  readonly pagesPerZspage: number;
  readonly objectsPerZspage: number;
}

/** get_size_class_index and get_pages_per_zspage: the class for so many bytes. */
export function zsClassFor(bytes: number): ZsClass {
  const own = bytes >= PAGE ? PAGE : bytes + HANDLE_SIZE;
  const index = own > MIN_ALLOC_SIZE ? Math.ceil((own - MIN_ALLOC_SIZE) / CLASS_DELTA) : 0;
  const size = Math.min(PAGE, MIN_ALLOC_SIZE + index * CLASS_DELTA);
  let pagesPerZspage = 1;
  let best = 0;
  for (let pages = 1; pages <= MAX_PAGES_PER_ZSPAGE; pages++) {
    const whole = pages * PAGE;
    const usedPercent = Math.trunc(((whole - (whole % size)) * 100) / whole);
    if (usedPercent > best) {
      best = usedPercent;
      pagesPerZspage = pages;
    }
  }
  return { size, pagesPerZspage, objectsPerZspage: Math.floor((pagesPerZspage * PAGE) / size) };
}

/** zs_huge_class_size: what compresses to this or more is kept as a whole page. */
export function zsHugeClassSize(): number {
  let size = PAGE;
  while (
    zsClassFor(size - CLASS_DELTA - HANDLE_SIZE).objectsPerZspage ===
    zsClassFor(size - CLASS_DELTA - HANDLE_SIZE).pagesPerZspage
  )
    size -= CLASS_DELTA;
  return size - CLASS_DELTA - (HANDLE_SIZE - 1);
}

const ALMOST_FULL = 0;
const ALMOST_EMPTY = 1;
const FULL = 2;

export interface Zspage {
  inuse: number;
  fullness: number;
  before: Zspage | undefined;
  after: Zspage | undefined;
}

/** A size class of a pool. Which object of a zspage is free does not matter here, only how many are. */
export class ZsSizeClass {
  readonly own: ZsClass;
  zspages = 0;
  objects = 0;
  /** Heads of the lists of those that are not full. */
  private readonly lists: (Zspage | undefined)[] = [undefined, undefined];
  private readonly takePages: (pages: number) => boolean;
  private readonly givePages: (pages: number) => void;

  /** `takePages` says whether the pages for another zspage are to be had. */
  constructor(own: ZsClass, takePages: (pages: number) => boolean, givePages: (pages: number) => void) {
    this.own = own;
    this.takePages = takePages;
    this.givePages = givePages;
  }

  get pages(): number {
    return this.zspages * this.own.pagesPerZspage;
  }

  /** zs_malloc: in the fullest that has room. @returns undefined where there is no memory for another. */
  malloc(): Zspage | undefined {
    let zspage = this.lists[ALMOST_FULL] ?? this.lists[ALMOST_EMPTY];
    if (zspage) {
      zspage.inuse++;
      this.fixFullness(zspage);
    } else {
      if (!this.takePages(this.own.pagesPerZspage)) return undefined;
      zspage = { inuse: 1, fullness: FULL, before: undefined, after: undefined };
      this.zspages++;
      this.insert(zspage, this.fullnessOf(zspage));
    }
    this.objects++;
    return zspage;
  }

  /** zs_free. */
  free(zspage: Zspage): void {
    assert(zspage.inuse > 0, 'an object of a zspage is freed twice');
    this.objects--;
    zspage.inuse--;
    if (zspage.inuse > 0) {
      this.fixFullness(zspage);
      return;
    }
    this.remove(zspage);
    this.zspages--;
    this.givePages(this.own.pagesPerZspage);
  }

  private fullnessOf({ inuse }: Zspage): number {
    const max = this.own.objectsPerZspage;
    if (inuse === max) return FULL;
    return inuse <= Math.floor((3 * max) / FULLNESS_FRACTION) ? ALMOST_EMPTY : ALMOST_FULL;
  }

  private fixFullness(zspage: Zspage): void {
    const now = this.fullnessOf(zspage);
    if (now === zspage.fullness) return;
    this.remove(zspage);
    this.insert(zspage, now);
  }

  /** insert_zspage: behind the head where that has more in use. */
  private insert(zspage: Zspage, fullness: number): void {
    zspage.fullness = fullness;
    if (fullness === FULL) return;
    const head = this.lists[fullness];
    if (head && zspage.inuse < head.inuse) {
      zspage.before = head;
      zspage.after = head.after;
      if (head.after) head.after.before = zspage;
      head.after = zspage;
      return;
    }
    zspage.before = undefined;
    zspage.after = head;
    if (head) head.before = zspage;
    this.lists[fullness] = zspage;
  }

  private remove(zspage: Zspage): void {
    const { before, after, fullness } = zspage;
    if (before) before.after = after;
    else if (fullness !== FULL) this.lists[fullness] = after;
    if (after) after.before = before;
    zspage.before = undefined;
    zspage.after = undefined;
  }
}
