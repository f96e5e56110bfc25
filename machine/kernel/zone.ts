/** A memory zone with its marks, in pages, and the lists of its processor. */
export interface Zone {
  readonly name: 'DMA' | 'DMA32' | 'Normal';
  readonly managed: number;
  readonly present: number;
  min: number;
  low: number;
  high: number;
  boost: number;
  protection: number[];
  /** ZONE_RECLAIM_ACTIVE: the lists of the processor are kept short meanwhile. */
  reclaimActive: boolean;
  /** Per-CPU page lists: single pages on them, by mobility (not, movable), pages of huge ones, and their tuning. */
  pcp: { kernel: number; movable: number; huge: number; high: number; batch: number; freeFactor: number };
}

/** per_cpu_pages.count. */
export const pcpCount = ({ pcp }: Zone): number => pcp.kernel + pcp.movable + pcp.huge;

/** The same of all zones. */
export const pagesOnPcp = ({ zones }: { readonly zones: readonly Zone[] }): number =>
  zones.reduce((sum, zone) => sum + pcpCount(zone), 0);

/** Integer square root, as int_sqrt. */
const intSqrt = (value: number): number => Math.floor(Math.sqrt(value));

/** min_free_kbytes before huge pages raise it, of the kB of memory that the kernel can use. */
export const calculateMinFreeKbytes = (lowmemKb: number): number =>
  Math.min(262144, Math.max(128, intSqrt(lowmemKb * 16)));

/**
 * set_recommended_min_free_kbytes: with huge pages on, each zone keeps two free blocks of 2 MiB, and one more for each mobility and
 * fallback of it, at most a twentieth of memory.
 */
export function recommendedMinFreeKbytes(zoneCount: number, totalPages: number): number {
  const MIGRATE_PCPTYPES = 3;
  const pageblock = 512;
  const pages = pageblock * zoneCount * 2 + pageblock * zoneCount * MIGRATE_PCPTYPES * MIGRATE_PCPTYPES;
  return Math.min(pages, Math.floor(totalPages / 20)) * 4;
}

/** __setup_per_zone_wmarks and setup_per_zone_lowmem_reserve. */
export function setupZones(zones: Zone[], minFreeKbytes: number, processors: number, scaleFactor = 10): void {
  const pagesMin = Math.floor(minFreeKbytes / 4);
  const managed = zones.reduce((sum, zone) => sum + zone.managed, 0);
  for (const zone of zones) {
    zone.min = Math.floor((pagesMin * zone.managed) / managed);
    const step = Math.max(zone.min >> 2, Math.floor((zone.managed * scaleFactor) / 10000));
    zone.low = zone.min + step;
    zone.high = zone.min + 2 * step;
    zone.boost = 0;
    const batch = zoneBatch(zone.managed);
    zone.pcp.batch = batch;
    zone.pcp.high = Math.max(Math.floor(zone.low / processors), batch * 4);
  }
  const RATIO: Readonly<Record<string, number>> = { DMA: 256, DMA32: 256, Normal: 32 };
  zones.forEach((zone, i) => {
    let above = 0;
    // Five entries, as zoneinfo prints them: DMA, DMA32, Normal, Movable, Device.
    const all = ['DMA', 'DMA32', 'Normal', 'Movable', 'Device'];
    const own = all.indexOf(zone.name);
    zone.protection = all.map((name, at) => {
      if (at <= own) return 0;
      above += zones.find((other, j) => j > i && other.name === name)?.managed ?? 0;
      return Math.floor(above / RATIO[zone.name]!);
    });
  });
}

/** zone_batchsize: a quarter of a thousandth of the zone, at most a quarter of 1 MiB, a power of two less one. */
function zoneBatch(managed: number): number {
  let batch = Math.min(managed >> 10, 2 ** 20 / 4096);
  batch = Math.floor(batch / 4) || 1;
  return Math.max(1, 2 ** Math.floor(Math.log2(batch + Math.floor(batch / 2))) - 1);
}
