/** mm/vmscan.c, the PID controller: which type and which tiers of it refault little, and are taken. */
import {
  type GenType,
  LRU_GEN_ANON,
  LRU_GEN_FILE,
  type LruGenFolio,
  MAX_NR_TIERS,
  MIN_LRU_BATCH,
  tierOf,
} from './lru-gen-state.ts';

/** ctrl_pos. */
interface CtrlPos {
  readonly refaulted: number;
  readonly total: number;
  readonly gain: number;
}

const MAX_SWAPPINESS = 200;

function readCtrlPos(lrugen: LruGenFolio, type: GenType, tier: number, gain: number): CtrlPos {
  const at = tierOf(type, tier);
  return {
    refaulted: lrugen.avgRefaulted[at]! + lrugen.refaulted[at]!,
    total: lrugen.avgTotal[at]! + lrugen.evicted[at]! + lrugen.protectedPages[at]!,
    gain,
  };
}

/** reset_ctrl_pos, as a generation ends: half of what was counted carries over. */
export function resetCtrlPos(lrugen: LruGenFolio, type: GenType): void {
  for (let tier = 0; tier < MAX_NR_TIERS; tier++) {
    const at = tierOf(type, tier);
    lrugen.avgRefaulted[at] = Math.floor((lrugen.avgRefaulted[at]! + lrugen.refaulted[at]!) / 2);
    lrugen.avgTotal[at] = Math.floor((lrugen.avgTotal[at]! + lrugen.evicted[at]! + lrugen.protectedPages[at]!) / 2);
    lrugen.refaulted[at] = 0;
    lrugen.evicted[at] = 0;
    lrugen.protectedPages[at] = 0;
  }
}

/** positive_ctrl_err: `pv` has few refaults, or relatively no more than `sp`. */
function positiveCtrlErr(sp: CtrlPos, pv: CtrlPos): boolean {
  return (
    pv.refaulted < MIN_LRU_BATCH ||
    pv.refaulted * (sp.total + MIN_LRU_BATCH) * sp.gain <= (sp.refaulted + 1) * pv.total * pv.gain
  );
}

/** The last tier that is taken: those above it refault more than `sp`. */
function lastTier(lrugen: LruGenFolio, type: GenType, gain: number, sp: CtrlPos): number {
  let tier = 1;
  while (tier < MAX_NR_TIERS && positiveCtrlErr(sp, readCtrlPos(lrugen, type, tier, gain))) tier++;
  return tier - 1;
}

/** get_tier_idx. */
export const getTierIdx = (lrugen: LruGenFolio, type: GenType): number =>
  lastTier(lrugen, type, 2, readCtrlPos(lrugen, type, 0, 1));

/** get_type_to_scan. */
export function getTypeToScan(lrugen: LruGenFolio, swappiness: number): { type: GenType; tier: number } {
  const gain = [swappiness, MAX_SWAPPINESS - swappiness] as const;
  const anon = readCtrlPos(lrugen, LRU_GEN_ANON, 0, gain[LRU_GEN_ANON]);
  const file = readCtrlPos(lrugen, LRU_GEN_FILE, 0, gain[LRU_GEN_FILE]);
  const type = positiveCtrlErr(anon, file) ? LRU_GEN_FILE : LRU_GEN_ANON;
  return { type, tier: lastTier(lrugen, type, gain[type], type === LRU_GEN_FILE ? anon : file) };
}
