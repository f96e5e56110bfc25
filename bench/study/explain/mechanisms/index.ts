import { arenas } from './arenas.ts';
import { backAndForth } from './back-and-forth.ts';
import { holes } from './holes.ts';
import { hugePages } from './huge-pages.ts';
import { idlePages } from './idle-pages.ts';
import { lazilyFreed } from './lazily-freed.ts';
import { libraryMemory } from './library-memory.ts';
import type { Finding, Mechanism, Situation } from './mechanism.ts';
import { memalignSplinters } from './memalign-splinters.ts';
import { slabs } from './slabs.ts';
import { thresholds } from './thresholds.ts';
import { unmergedChunks } from './unmerged-chunks.ts';
import { zendCachedChunks } from './zend-cached-chunks.ts';
import { zendFreeRuns } from './zend-free-runs.ts';
import { zendMemoryLimit } from './zend-memory-limit.ts';
import { zendRuns } from './zend-runs.ts';

/** The most telling first, where two account for the same bytes. */
const MECHANISMS: readonly Mechanism[] = [
  hugePages,
  zendRuns,
  zendMemoryLimit,
  zendCachedChunks,
  zendFreeRuns,
  memalignSplinters,
  unmergedChunks,
  lazilyFreed,
  idlePages,
  slabs,
  arenas,
  holes,
  thresholds,
  libraryMemory,
  backAndForth,
];

/** What is at work at the moment that is judged; what accounts for most comes first. */
export function findMechanisms(situation: Situation): Finding[] {
  return MECHANISMS.map((m) => m.detect(situation))
    .filter((f) => f !== undefined)
    .sort((x, y) => y.bytes - x.bytes);
}
