/** mm/vmscan.c, the memcg LRU: which group reclaim of all memory comes to next. */
import { LRU_INACTIVE_ANON, LRU_INACTIVE_FILE } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { getSwappiness, shouldAbortScan, tryToShrinkLruvec } from './lru-gen-evict.ts';
import { lruGenOf } from './lru-gen-folio.ts';
import {
  GEN_TYPES,
  LRU_GEN_FILE,
  type LruGenFolio,
  type LruGenNode,
  MEMCG_NR_BINS,
  MEMCG_NR_GENS,
  MIN_LRU_BATCH,
} from './lru-gen-state.ts';
import { memcgEvent } from './mem-cgroup.ts';
import { calculateProtection, isBelowLow, isBelowMin } from './protection.ts';
import { DEF_PRIORITY, type ScanControl } from './scan-count.ts';
import { shrinkSlab } from './shrink-slab.ts';
import { lruAddDrain, nodeListSize } from './swap-lru.ts';

type MemcgLruOp = 'tail' | 'old' | 'young';

function removeFromBin(node: LruGenNode, lrugen: LruGenFolio): void {
  for (const bin of node.memcgs[lrugen.memcgGen]!) {
    const at = bin.indexOf(lrugen);
    if (at >= 0) bin.splice(at, 1);
  }
  node.nrMemcgs[lrugen.memcgGen]!--;
}

/** The old generation of groups is gone through: the young one is the old one now. */
function seeEmptied(node: LruGenNode, gen: number): void {
  if (node.nrMemcgs[gen] === 0 && gen === node.memcgSeq % MEMCG_NR_GENS) node.memcgSeq++;
}

/** lru_gen_rotate_memcg. */
export function lruGenRotateMemcg(k: Kernel, lrugen: LruGenFolio, op: MemcgLruOp): void {
  const node = k.lruGen!;
  const before = lrugen.memcgGen;
  removeFromBin(node, lrugen);
  lrugen.seg = op === 'tail' ? 'tail' : 'default';
  if (op === 'old') lrugen.memcgGen = node.memcgSeq % MEMCG_NR_GENS;
  if (op === 'young') lrugen.memcgGen = (node.memcgSeq + 1) % MEMCG_NR_GENS;
  const bin = node.memcgs[lrugen.memcgGen]![node.anyBin()]!;
  if (op === 'old') bin.unshift(lrugen);
  else bin.push(lrugen);
  node.nrMemcgs[lrugen.memcgGen]!++;
  seeEmptied(node, before);
}

/** lru_gen_offline_memcg. What is left of the group stays in its generations. */
export function lruGenOfflineMemcg(k: Kernel, groupId: number): void {
  if (k.lruGen) lruGenRotateMemcg(k, lruGenOf(k, groupId), 'old');
}

/** lruvec_is_sizable: at this priority there is something to take. */
function lruvecIsSizable(k: Kernel, lrugen: LruGenFolio, sc: ScanControl): boolean {
  let total = 0;
  for (const type of getSwappiness(k, lrugen.group) > 0 ? GEN_TYPES : ([LRU_GEN_FILE] as const)) {
    for (let seq = lrugen.minSeq[type]; seq <= lrugen.maxSeq; seq++) total += Math.max(0, lrugen.pagesOf(seq, type));
  }
  return (lrugen.group.online ? Math.floor(total / 2 ** sc.priority) : total) > 0;
}

/** shrink_one. @returns where the group goes then; undefined: it stays. */
function* shrinkOne(
  k: Kernel,
  lrugen: LruGenFolio,
  sc: ScanControl,
): Generator<undefined, MemcgLruOp | undefined, void> {
  const { group } = lrugen;
  if (isBelowMin(k.root, group)) return 'young';
  if (isBelowLow(k.root, group)) {
    if (lrugen.seg !== 'tail') return 'tail';
    memcgEvent(group, 'low');
  }
  const isDone = yield* tryToShrinkLruvec(k, lrugen, sc);
  sc.nrReclaimed += shrinkSlab(k, group, sc.priority);
  if (isDone && group.online) return 'young';
  if (!isDone && lruvecIsSizable(k, lrugen, sc)) return undefined;
  return lrugen.seg !== 'tail' ? 'tail' : 'young';
}

/** shrink_many: the bins of the old generation, from any of them on. */
function* shrinkMany(k: Kernel, sc: ScanControl): Generator<undefined, void, void> {
  const node = k.lruGen!;
  const gen = node.memcgSeq % MEMCG_NR_GENS;
  const firstBin = node.anyBin();
  for (let i = 0; i < MEMCG_NR_BINS; i++) {
    const bin = node.memcgs[gen]![(firstBin + i) % MEMCG_NR_BINS]!;
    for (let at = 0; at < bin.length; ) {
      const lrugen = bin[at]!;
      const op = yield* shrinkOne(k, lrugen, sc);
      const isEnough = shouldAbortScan(k, sc);
      // Who comes next is known before the group leaves its place; one that goes to the tail of this bin is come to again.
      if (op) lruGenRotateMemcg(k, lrugen, op);
      if (isEnough) return;
      if (bin[at] === lrugen) at++;
    }
  }
}

/** set_initial_priority: as deep as it takes at once, by what is inactive. */
export function setInitialPriority(k: Kernel, sc: ScanControl): void {
  if (sc.priority !== DEF_PRIORITY || sc.nrToReclaim < MIN_LRU_BATCH) return;
  let reclaimable = nodeListSize(k.frames, k.groups, LRU_INACTIVE_FILE);
  if (k.swapFree > 0) reclaimable += nodeListSize(k.frames, k.groups, LRU_INACTIVE_ANON);
  const bits = (n: number) => 32 - Math.clz32(n);
  const priority = bits(reclaimable) - 1 - bits(sc.nrToReclaim - 1);
  sc.priority = Math.min(Math.max(priority, DEF_PRIORITY / 2), DEF_PRIORITY);
}

/** lru_gen_age_node: kswapd, before it reclaims. */
export function lruGenAgeNode(k: Kernel, sc: ScanControl): void {
  setInitialPriority(k, sc);
  for (const group of k.root.subtree()) calculateProtection(k.root, group);
}

/** lru_gen_shrink_node: reclaim of all memory. */
export function* lruGenShrinkNode(k: Kernel, sc: ScanControl): Generator<undefined, void, void> {
  lruAddDrain(k);
  k.lruGen!.mmWalk = sc.kswapd;
  setInitialPriority(k, sc);
  yield* shrinkMany(k, sc);
  k.lruGen!.mmWalk = false;
}

/** lru_gen_shrink_lruvec: reclaim in a group. */
export function* lruGenShrinkLruvec(k: Kernel, lrugen: LruGenFolio, sc: ScanControl): Generator<undefined, void, void> {
  lruAddDrain(k);
  k.lruGen!.mmWalk = false;
  if (yield* tryToShrinkLruvec(k, lrugen, sc)) lruGenRotateMemcg(k, lrugen, 'young');
  k.lruGen!.mmWalk = false;
}
