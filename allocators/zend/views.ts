import type { AllocatorStats, ThreadSlot } from '../../sim/contract/allocator.ts';
import { counted } from '../../sim/contract/format.ts';
import { realAddress } from '../../sim/kernel/layout.ts';
import { BIN_ELEMENTS, BIN_SIZE } from './bins.ts';
import {
  CHUNK_PAGES,
  FREE_PAGES,
  FREE_TAIL,
  HUGE_PAGES_COUNT,
  handleOf,
  NUM,
  SLOT_SHIFT_WORDS,
  START_PAGE,
  type ZendState,
} from './layout.ts';
import {
  cachedChunksOf,
  chunksOf,
  FREE_RUN,
  forEachRun,
  freeElements,
  heapThreads,
  hugeBlocksOf,
  LARGE_RUN,
} from './walk.ts';

const PAGES_PER_LINE = 64;
/** A small run's pages, by bin; the other letters are #: header, =: large run, .: free. */
const BIN_LETTERS = '0123456789abcdefghijklmnopqrst';

const hex = (address: number) => `0x${realAddress(address).toString(16)}`;

/** The chunk map: each chunk's 512 pages as 8 lines of 64, then its runs, bin by bin. */
export function chunkMap(state: ZendState): string {
  const parts = heapThreads(state).map((t) => heapMap(state, t));
  return parts.length > 0 ? parts.join('\n') : 'no heap yet\n';
}

function heapMap(state: ZendState, t: ThreadSlot): string {
  const { slots } = state;
  const free = freeElements(state, t);
  const lines: string[] = [`heap of thread slot ${t}: ${chunksOf(state, t).length} chunks`];
  for (const slot of chunksOf(state, t)) {
    const record = slot << SLOT_SHIFT_WORDS;
    const letters: string[] = ['#'];
    const runs = new Map<number, { count: number; live: number }>();
    let largeRuns = 0;
    let largePages = 0;
    forEachRun(state, slot, (page, pages, bin) => {
      letters.push((bin === FREE_RUN ? '.' : bin === LARGE_RUN ? '=' : BIN_LETTERS[bin]!).repeat(pages));
      if (bin === FREE_RUN) return;
      if (bin === LARGE_RUN) {
        largeRuns++;
        largePages += pages;
        return;
      }
      const entry = runs.get(bin) ?? { count: 0, live: 0 };
      entry.count++;
      const first = handleOf(slot, page);
      for (let i = 0; i < BIN_ELEMENTS[bin]!; i++) if (!free.has(first + (i * BIN_SIZE[bin]!) / 8)) entry.live++;
      runs.set(bin, entry);
    });
    const start = slots[record + START_PAGE]! * 4096;
    lines.push(
      `chunk ${hex(start)} num ${slots[record + NUM]}: free_pages ${slots[record + FREE_PAGES]}, free_tail ${slots[record + FREE_TAIL]}`,
    );
    const text = letters.join('');
    for (let at = 0; at < CHUNK_PAGES; at += PAGES_PER_LINE) {
      lines.push(`  ${String(at).padStart(3)} ${text.slice(at, at + PAGES_PER_LINE)}`);
    }
    for (const [bin, { count, live }] of [...runs].sort((a, b) => a[0] - b[0])) {
      lines.push(
        `  ${BIN_LETTERS[bin]} bin ${bin}, ${BIN_SIZE[bin]} bytes: ${counted(count, 'run')}, ${live} of ${count * BIN_ELEMENTS[bin]!} elements live`,
      );
    }
    if (largeRuns > 0) lines.push(`  = large: ${counted(largeRuns, 'run')}, ${counted(largePages, 'page')}`);
  }
  for (const slot of cachedChunksOf(state, t)) {
    lines.push(`cached chunk ${hex(slots[(slot << SLOT_SHIFT_WORDS) + START_PAGE]! * 4096)}`);
  }
  for (const slot of hugeBlocksOf(state, t)) {
    const record = slot << SLOT_SHIFT_WORDS;
    lines.push(
      `huge block ${hex(slots[record + START_PAGE]! * 4096)}: ${slots[record + HUGE_PAGES_COUNT]! * 4096} bytes`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/**
 * What a script prints that asks for all four numbers, one heap after the other; then what the process has beside: memory
 * that libraries take by malloc is in none of PHP's numbers.
 */
export function memoryUsage(numbers: AllocatorStats): string {
  const heaps = numbers['heaps'] as readonly AllocatorStats[];
  const parts = heaps.map((h) =>
    [
      `memory_get_usage()          ${h['usage']}`,
      `memory_get_usage(true)      ${h['real_usage']}`,
      `memory_get_peak_usage()     ${h['peak']}`,
      `memory_get_peak_usage(true) ${h['real_peak']}`,
    ].join('\n'),
  );
  parts.push(
    [
      `resident in PHP’s heaps     ${numbers['heaps_rss']}`,
      `resident beside them        ${numbers['unseen_rss']}`,
      `resident in the process     ${numbers['process_rss']}`,
    ].join('\n'),
  );
  return `${parts.join('\n\n')}\n`;
}
