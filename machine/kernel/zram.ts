/** drivers/block/zram/zram_drv.c: a disk of compressed memory, as far as swap uses it. */
import type { Kernel } from './kernel.ts';
import { giveKernelPages, takePagesFromReserve } from './page-alloc.ts';
import {
  ZRAM_COMPRESS_BYTE_US,
  ZRAM_COMPRESS_US,
  ZRAM_DECOMPRESS_BYTE_US,
  ZRAM_DECOMPRESS_US,
} from './recorded-prices.ts';
import { ZS_HANDLE_BYTES, ZSPAGE_BYTES, type Zspage, ZsSizeClass, zsClassFor, zsHugeClassSize } from './zsmalloc.ts';

const PAGE = 4096;
/** struct zram_table_entry with CONFIG_ZRAM_MEMORY_TRACKING: handle, flags, time of the last use. */
const TABLE_ENTRY_BYTES = 24;
/** What the module and its device take beside: recorded of 6.1 between a machine with and one without it. */
const DEVICE_SLAB_BYTES = 128 * 1024;
const DEVICE_VMALLOC_PAGES = 39;
/** What mkswap's page, all zeros but for the header, compresses to. */
const HEADER_BYTES = 52;

/** A device whose pages all compress to `4096 / ratio` bytes: what they hold is not simulated, so who asks says how well it compresses. */
export class Zram {
  private readonly k: Kernel;
  /** Bytes that a page is stored in. */
  readonly storedBytes: number;
  /** What a page takes to be stored and to be got back. */
  readonly compressUs: number;
  readonly decompressUs: number;
  private readonly isHuge: boolean;
  private readonly size: ZsSizeClass;
  private readonly header: ZsSizeClass;
  private readonly table: (Zspage | undefined)[] = [];
  private pagesStored = 0;
  private maxUsedPages = 0;
  private hugePagesSince = 0;

  /** disksize and mkswap. @returns undefined where there is no memory for the device's table, which vmalloc does not try beyond the machine's. */
  static create(k: Kernel, pages: number, ratio: number): Zram | undefined {
    const tablePages = Math.ceil((pages * TABLE_ENTRY_BYTES) / PAGE);
    if (tablePages > k.totalPages) return undefined;
    const zram = new Zram(k, ratio);
    return zram.begin(DEVICE_VMALLOC_PAGES + tablePages) ? zram : undefined;
  }

  private constructor(k: Kernel, ratio: number) {
    this.k = k;
    const bytes = Math.max(1, Math.round(PAGE / ratio));
    this.isHuge = bytes >= zsHugeClassSize();
    this.storedBytes = this.isHuge ? PAGE : bytes;
    this.compressUs = ZRAM_COMPRESS_US + this.storedBytes * ZRAM_COMPRESS_BYTE_US;
    this.decompressUs = ZRAM_DECOMPRESS_US + this.storedBytes * ZRAM_DECOMPRESS_BYTE_US;
    const take = (count: number) => this.takePages(count);
    const give = (count: number) => this.givePages(count);
    this.size = new ZsSizeClass(zsClassFor(this.storedBytes), take, give);
    this.header = new ZsSizeClass(zsClassFor(HEADER_BYTES), take, give);
  }

  /** Its table is from vmalloc, its first page written. */
  private begin(vmallocPages: number): boolean {
    this.account(DEVICE_SLAB_BYTES);
    if (!takePagesFromReserve(this.k, vmallocPages)) {
      this.account(-DEVICE_SLAB_BYTES);
      return false;
    }
    this.k.vmallocPages += vmallocPages;
    this.header.malloc();
    return true;
  }

  private takePages(pages: number): boolean {
    if (!takePagesFromReserve(this.k, pages)) return false;
    this.k.vmstat.nr_zspages += pages;
    if (this.account(ZSPAGE_BYTES)) return true;
    giveKernelPages(this.k, pages, true);
    this.k.vmstat.nr_zspages -= pages;
    return false;
  }

  private givePages(pages: number): void {
    giveKernelPages(this.k, pages, true);
    this.k.vmstat.nr_zspages -= pages;
    this.account(-ZSPAGE_BYTES);
  }

  /** Slab of zsmalloc's own objects: reclaim that stores a page cannot wait for reclaim. */
  private account(bytes: number): boolean {
    const { k } = this;
    const before = Math.ceil(k.slabUnreclaimableBytes / PAGE);
    const pages = Math.ceil((k.slabUnreclaimableBytes + bytes) / PAGE) - before;
    if (pages > 0 && !takePagesFromReserve(k, pages)) return false;
    if (pages < 0) giveKernelPages(k, -pages);
    k.slabUnreclaimableBytes += bytes;
    k.vmstat.nr_slab_unreclaimable += pages;
    k.root.stat.slab_unreclaimable_bytes += bytes;
    return true;
  }

  /** zram_bvec_write of a page. @returns false where there is no memory for it. */
  write(slot: number): boolean {
    this.free(slot);
    if (!this.account(ZS_HANDLE_BYTES)) return false;
    const zspage = this.size.malloc();
    if (!zspage) {
      this.account(-ZS_HANDLE_BYTES);
      return false;
    }
    this.table[slot] = zspage;
    this.pagesStored++;
    if (this.isHuge) this.hugePagesSince++;
    this.maxUsedPages = Math.max(this.maxUsedPages, this.usedPages);
    return true;
  }

  /** zram_slot_free_notify. */
  free(slot: number): void {
    const zspage = this.table[slot];
    if (!zspage) return;
    this.table[slot] = undefined;
    this.size.free(zspage);
    this.account(-ZS_HANDLE_BYTES);
    this.pagesStored--;
  }

  /** Pages of memory that hold what is stored. */
  get usedPages(): number {
    return this.size.pages + this.header.pages;
  }

  /** /sys/block/zram0/mm_stat in bytes and pages: stored, compressed, used, limit, most used, same, compacted, huge, huge since. */
  get mmStat(): readonly number[] {
    const stored = (this.pagesStored + 1) * PAGE;
    const compressed = this.pagesStored * this.storedBytes + HEADER_BYTES;
    const huge = this.isHuge ? this.pagesStored : 0;
    const most = Math.max(this.maxUsedPages, this.usedPages);
    return [stored, compressed, this.usedPages * PAGE, 0, most * PAGE, 0, 0, huge, this.hugePagesSince];
  }
}
