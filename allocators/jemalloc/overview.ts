import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import { PAGE, QUANTUM } from './size-classes.ts';

/**
 * The few figures that jemalloc is usually introduced with (arenas, active beside allocated, cached bytes, calls of
 * madvise), of this run, and after them a sentence for each where the real defaults are not what is often told.
 */
export function overviewText(stats: AllocatorStats): string {
  const number = (name: string) => (stats[name] as number | undefined) ?? 0;
  const opt = stats['opt'] as AllocatorStats;
  const merged = stats['arenas'] as AllocatorStats;
  const of = (name: string) => (merged[name] as number | undefined) ?? 0;
  const existing = (stats['arena'] as readonly AllocatorStats[]).length;
  const automatic = opt['narenas'] as number;
  const calls = of('dirty_nmadvise') + of('muzzy_nmadvise');
  const active = number('active');
  const share = active === 0 ? 100 : (100 * number('allocated')) / active;

  const table = [
    `Arenas: ${number('narenas')}`,
    `Quantum size: ${QUANTUM}`,
    `Page size: ${PAGE}`,
    `Maximum thread-cached size class: ${number('tcache_max')}`,
    '',
    `Allocated: ${number('allocated')}, active: ${active}, mapped: ${number('mapped')}, retained: ${number('retained')}`,
    `tcache_bytes: ${of('tcache_bytes')}`,
    `madvise_dontneed: ${calls}`,
  ];
  const notes = [
    `Arenas: there may be ${automatic} automatic ones${number('narenas') > automatic ? ' and one for oversize requests' : ''}; ` +
      `${existing} exist. The default is four for each processor, not four: narenas=4 gives four.`,
    `Allocated is ${share.toFixed(1)} % of active. It counts what thread caches hold as allocated: of it the program has ` +
      `${number('allocated') - of('tcache_bytes')} bytes, jemalloc's own blocks included.`,
    'Mapped does not contain retained: address space that was purged and is kept for the next growth.',
    'The real text has no line madvise_dontneed; the figure is the sum of dirty and muzzy "madvises" of all arenas.',
    purgeNote(opt, calls),
  ];
  if (number('overdue_bytes') > 0) {
    notes.push(
      `${number('overdue_bytes')} bytes are due and still resident: their arenas are idle, and an idle process does not ` +
        'shrink by itself without background_thread.',
    );
  }
  return `${table.join('\n')}\n\n${notes.map((note) => `- ${note}\n`).join('')}`;
}

function purgeNote(opt: AllocatorStats, calls: number): string {
  const ms = opt['dirty_decay_ms'] as number;
  if (ms === 0) return `Freed pages are purged at once (dirty_decay_ms=0): ${calls} calls.`;
  if (ms < 0) return 'Freed pages are never purged (dirty_decay_ms=-1).';
  return (
    `Freed pages are not purged when they are freed but over ${ms} ms, and only when their arena is used again or loses ` +
    `its last thread: ${calls} calls. Thousands of calls come from dirty_decay_ms=0, from oversize requests, or from ` +
    'threads that come and go.'
  );
}
