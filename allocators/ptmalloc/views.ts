import type { Allocator } from '../../sim/contract/allocator.ts';
import { columns, count as grouped } from '../../sim/contract/format.ts';
import { realAddress } from '../../sim/kernel/layout.ts';
import type { ModelView } from '../model.ts';
import type { GlibcStats, HeapStats } from './stats.ts';

const statsOf = (allocator: Allocator) => allocator.stats() as GlibcStats;

/** malloc_info(0, stdout): the XML, to the byte. */
export function mallocInfo({ heaps, mmap }: GlibcStats): string {
  const sum = (of: (heap: HeapStats) => number) => heaps.reduce((total, heap) => total + of(heap), 0);
  const total = (type: string, chunks: number, size: number) =>
    `<total type="${type}" count="${chunks}" size="${size}"/>\n`;
  const sized = (tag: string, type: string, size: number) => `<${tag} type="${type}" size="${size}"/>\n`;
  const range = (tag: string, row: { from: number; to: number; total: number; count: number }) =>
    `  <${tag} from="${row.from}" to="${row.to}" total="${row.total}" count="${row.count}"/>\n`;
  const one = (heap: HeapStats) =>
    `<heap nr="${heap.nr}">\n<sizes>\n${heap.sizes.map((row) => range('size', row)).join('')}` +
    `${heap.unsorted ? range('unsorted', heap.unsorted) : ''}</sizes>\n` +
    total('fast', heap.fast.count, heap.fast.size) +
    total('rest', heap.rest.count, heap.rest.size) +
    sized('system', 'current', heap.system.current) +
    sized('system', 'max', heap.system.max) +
    sized('aspace', 'total', heap.aspace.total) +
    sized('aspace', 'mprotect', heap.aspace.mprotect) +
    `${heap.aspace.subheaps === null ? '' : sized('aspace', 'subheaps', heap.aspace.subheaps)}</heap>\n`;
  return (
    `<malloc version="1">\n${heaps.map(one).join('')}` +
    total(
      'fast',
      sum((h) => h.fast.count),
      sum((h) => h.fast.size),
    ) +
    total(
      'rest',
      sum((h) => h.rest.count),
      sum((h) => h.rest.size),
    ) +
    total('mmap', mmap.count, mmap.size) +
    sized(
      'system',
      'current',
      sum((h) => h.system.current),
    ) +
    sized(
      'system',
      'max',
      sum((h) => h.system.max),
    ) +
    sized(
      'aspace',
      'total',
      sum((h) => h.aspace.total),
    ) +
    sized(
      'aspace',
      'mprotect',
      sum((h) => h.aspace.mprotect),
    ) +
    '</malloc>\n'
  );
}

/** malloc_stats(), which counts in unsigned 32-bit numbers. */
export function mallocStats({ heaps, mmap }: GlibcStats): string {
  const line = (name: string, value: number) => `${name.padEnd(16)} = ${`${value}`.padStart(10)}\n`;
  let system = mmap.size;
  let inUse = mmap.size;
  const arenas = heaps.map((heap) => {
    system += heap.system.current;
    inUse += heap.inUse;
    return `Arena ${heap.nr}:\n${line('system bytes', heap.system.current >>> 0)}${line('in use bytes', heap.inUse >>> 0)}`;
  });
  return (
    `${arenas.join('')}Total (incl. mmap):\n${line('system bytes', system >>> 0)}${line('in use bytes', inUse >>> 0)}` +
    line('max mmap regions', mmap.maxCount) +
    line('max mmap bytes', mmap.maxSize)
  );
}

/** One line an arena: what a debugger would show of each malloc_state. `number` is its age, 0 the main arena. */
function arenaTable({ heaps }: GlibcStats): string {
  const rows = heaps.map((heap) => [
    heap.number === 0 ? 'main_arena' : `arena ${heap.number}`,
    ...[
      heap.attachedThreads,
      heap.system.current,
      heap.system.max,
      heap.inUse,
      heap.rest.count - 1,
      heap.fast.count,
      heap.aspace.subheaps ?? 1,
    ].map(grouped),
  ]);
  const head = [
    '',
    'attached_threads',
    'system_mem',
    'max_system_mem',
    'in use',
    'chunks in bins',
    'in fastbins',
    'heaps',
  ];
  return `${columns([head, ...rows], 'lr', '').join('\n')}\n`;
}

/** The heaps and mapped blocks in the order of their addresses. */
function heapTable(allocator: Allocator): string {
  const rows: { start: number; cells: string[] }[] = [];
  allocator.areas?.((start, length, name) => {
    rows.push({ start, cells: [realAddress(start).toString(16).padStart(16, '0'), grouped(length), name] });
  });
  rows.sort((a, b) => a.start - b.start);
  return `${columns([['address', 'bytes', 'what'], ...rows.map((row) => row.cells)], 'lrl', '').join('\n')}\n`;
}

export const VIEWS: readonly ModelView[] = [
  { name: 'malloc_info', about: 'malloc_info(): the XML', render: (allocator) => mallocInfo(statsOf(allocator)) },
  { name: 'malloc_stats', about: 'malloc_stats()', render: (allocator) => mallocStats(statsOf(allocator)) },
  {
    name: 'arena',
    about: 'each arena’s malloc_state in numbers',
    render: (allocator) => arenaTable(statsOf(allocator)),
  },
  { name: 'heap', about: 'heaps and mapped blocks by address', render: heapTable },
];
