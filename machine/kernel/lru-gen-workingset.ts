/** mm/workingset.c, for generations: what comes back while the generation it was evicted from is still being evicted was evicted too early. */
import { PG_SWAPBACKED, PG_WORKINGSET } from './frames.ts';
import type { Kernel } from './kernel.ts';
import { folioLruRefs, lruGenOf, tierFromRefs, typeOf } from './lru-gen-folio.ts';
import { LRU_REFS_MAX, tierOf } from './lru-gen-state.ts';
import { countMemcg } from './memcontrol.ts';
import type { Shadow } from './shadow-table.ts';

const REFS = LRU_REFS_MAX + 1;

/** lru_gen_eviction: the group, its oldest generation, and how often the page was used by descriptor. */
export function lruGenEviction(k: Kernel, frame: number): Shadow {
  const groupId = k.frames.group[frame]!;
  const lrugen = lruGenOf(k, groupId);
  const type = typeOf(k, frame);
  const refs = folioLruRefs(k, frame);
  lrugen.evicted[tierOf(type, tierFromRefs(refs))]! += k.frames.sizeOf(frame);
  return { group: groupId, age: lrugen.minSeq[type] * REFS + Math.max(refs - 1, 0), workingset: refs > 0 };
}

/** lru_gen_refault: of a group's own page only; who takes another's page has not missed it. */
export function lruGenRefault(k: Kernel, frame: number, shadow: Shadow): void {
  const { frames } = k;
  const owner = frames.group[frame]!;
  if (shadow.group !== owner) return;
  const type = typeOf(k, frame);
  const name = frames.flags[frame]! & PG_SWAPBACKED ? 'anon' : 'file';
  const count = (what: 'refault' | 'activate' | 'restore') => {
    k.vmstat[`workingset_${what}_${name}`]++;
    countMemcg(k, owner, `workingset_${what}_${name}`);
  };
  count('refault');
  const lrugen = lruGenOf(k, owner);
  if (Math.floor(shadow.age / REFS) !== lrugen.minSeq[type]) return;
  const refs = (shadow.age % REFS) + (shadow.workingset ? 1 : 0);
  lrugen.refaulted[tierOf(type, tierFromRefs(refs))]!++;
  count('activate');
  if (!k.inFault && refs < LRU_REFS_MAX) return;
  frames.flags[frame]! |= PG_WORKINGSET;
  frames.lruRefs[frame] = LRU_REFS_MAX;
  count('restore');
}
