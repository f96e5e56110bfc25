/** mm/vmscan.c, the ageing: generations begin and end. */

import { assert } from '../../sim/contract/assert.ts';
import { MAX_NR_GENS } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { folioIncGen, lruGenShiftActive } from './lru-gen-folio.ts';
import { iterateMmList, type LruGenMmWalk } from './lru-gen-mm-list.ts';
import {
  GEN_TYPES,
  type GenType,
  genOfSeq,
  LRU_GEN_ANON,
  LRU_GEN_FILE,
  type LruGenFolio,
  MAX_LRU_BATCH,
  MIN_NR_GENS,
} from './lru-gen-state.ts';
import { resetCtrlPos } from './lru-gen-tiers.ts';
import { walkMm } from './lru-gen-walk.ts';

/** Whether no page of the type is on a list of the generation. */
function isGenEmpty(k: Kernel, { group }: LruGenFolio, gen: number, type: GenType): boolean {
  return k.zones.every((_, zone) => k.frames.lastOf(k.frames.genListOf(group.id, gen, type, zone)) < 0);
}

/** inc_min_seq: the oldest generation's pages join the next one, as its oldest. @returns false where some are left. */
function incMinSeq(k: Kernel, lrugen: LruGenFolio, type: GenType, canSwap: boolean): boolean {
  const { frames } = k;
  if (type === LRU_GEN_FILE || canSwap) {
    let remaining = MAX_LRU_BATCH;
    const oldGen = genOfSeq(lrugen.minSeq[type]);
    for (let zone = 0; zone < k.zones.length; zone++) {
      const list = frames.genListOf(lrugen.group.id, oldGen, type, zone);
      for (let frame = frames.lastOf(list); frame >= 0; frame = frames.lastOf(list)) {
        const newGen = folioIncGen(k, lrugen, frame, false);
        frames.unlink(frame);
        frames.linkBefore(frame, frames.genListOf(lrugen.group.id, newGen, type, zone));
        if (--remaining === 0) return false;
      }
    }
  }
  resetCtrlPos(lrugen, type);
  lrugen.minSeq[type]++;
  return true;
}

/** try_to_inc_min_seq: generations that are empty end. @returns whether one did. */
export function tryToIncMinSeq(k: Kernel, lrugen: LruGenFolio, canSwap: boolean): boolean {
  const types = canSwap ? GEN_TYPES : [LRU_GEN_FILE as GenType];
  const minSeq: [number, number] = [...lrugen.minSeq];
  for (const type of types) {
    while (minSeq[type] + MIN_NR_GENS <= lrugen.maxSeq && isGenEmpty(k, lrugen, genOfSeq(minSeq[type]), type))
      minSeq[type]++;
  }
  if (canSwap) {
    minSeq[LRU_GEN_ANON] = Math.min(minSeq[LRU_GEN_ANON], minSeq[LRU_GEN_FILE]);
    minSeq[LRU_GEN_FILE] = Math.max(minSeq[LRU_GEN_ANON], lrugen.minSeq[LRU_GEN_FILE]);
  }
  let success = false;
  for (const type of types) {
    if (minSeq[type] === lrugen.minSeq[type]) continue;
    resetCtrlPos(lrugen, type);
    lrugen.minSeq[type] = minSeq[type];
    success = true;
  }
  return success;
}

/** inc_max_seq: a generation begins. */
function incMaxSeq(k: Kernel, lrugen: LruGenFolio, canSwap: boolean): void {
  for (const type of [LRU_GEN_FILE, LRU_GEN_ANON] as const) {
    // A batch at a time, with a pause for others between.
    while (lrugen.nrGens(type) === MAX_NR_GENS && !incMinSeq(k, lrugen, type, canSwap));
  }
  lruGenShiftActive(k, lrugen);
  // seq_is_valid.
  assert(lrugen.minSeq[LRU_GEN_ANON] <= lrugen.minSeq[LRU_GEN_FILE], 'anonymous memory is not evicted ahead of files');
  lrugen.timestamps[genOfSeq(lrugen.maxSeq + 1)] = k.nowUs;
  lrugen.maxSeq++;
}

/** try_to_inc_max_seq: looks through the tables of all processes of the group, then a generation begins. */
export function tryToIncMaxSeq(k: Kernel, lrugen: LruGenFolio, canSwap: boolean): boolean {
  const seq = lrugen.maxSeq;
  if (seq <= lrugen.mmState.seq) return false;
  k.lruGen!.mmWalk = true;
  const walk: LruGenMmWalk = { lrugen, seq, canSwap, forceScan: false };
  let { mm, last } = iterateMmList(k, walk);
  while (mm) {
    walkMm(k, mm, walk);
    ({ mm, last } = iterateMmList(k, walk));
  }
  if (last) incMaxSeq(k, lrugen, canSwap);
  return last;
}
