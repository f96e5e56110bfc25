/** /sys/kernel/debug/lru_gen: the generations of each group's pages (lru_gen_seq_show in mm/vmscan.c). */
import type { Kernel } from '../../kernel/kernel.ts';
import { lruGenOf } from '../../kernel/lru-gen-folio.ts';
import { GEN_TYPES, genOfSeq } from '../../kernel/lru-gen-state.ts';

const USER_HZ_MS = 4;

/** Undefined where the kernel has no generations. */
export function lruGenFile(k: Kernel): string | undefined {
  if (!k.lruGen) return undefined;
  const lines: string[] = [];
  for (const group of k.root.subtree()) {
    const lrugen = lruGenOf(k, group.id);
    lines.push(
      `memcg ${String(group.id + 1).padStart(5)} ${group.isRoot ? '/' : `/${group.name}`}`,
      ` node ${'0'.padStart(5)}`,
    );
    for (let seq = Math.min(...lrugen.minSeq); seq <= lrugen.maxSeq; seq++) {
      const ageMs = Math.floor((k.nowUs - lrugen.timestamps[genOfSeq(seq)]!) / 1000 / USER_HZ_MS) * USER_HZ_MS;
      const sizes = GEN_TYPES.map((type) => (seq < lrugen.minSeq[type] ? 0 : Math.max(0, lrugen.pagesOf(seq, type))));
      lines.push(
        ` ${String(seq).padStart(10)} ${String(ageMs).padStart(10)} ${sizes.map((n) => `${String(n).padStart(10)} `).join(' ')}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
