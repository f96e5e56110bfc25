import { columns } from '../../../sim/contract/format.ts';
import { kernelTotal, partsOfMemory } from '../../kernel/memory-parts.ts';
import type { MachineRun } from '../../script/machine-run.ts';
import { kbSize, list, number, size } from './figures.ts';
import type { History } from './history.ts';
import { type GroupMoment, type Moment, type ProcessMoment, type Reading, rssKb, type SharedObject } from './moment.ts';

const PROCESSES_SHOWN = 8;
const OBJECTS_SHOWN = 8;

/** Rows of cells; `align` holds l or r for each column, the last letter for all beyond. Without a head, `head` is empty. */
export interface SectionTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly align: string;
}

/** A sentence, or a table. */
export type SectionPart = string | SectionTable;

export function partLines(part: SectionPart): string[] {
  if (typeof part === 'string') return [part];
  return columns(part.head.length > 0 ? [...twoLines(part.head), ...part.rows] : part.rows, part.align, '');
}

/** Headings of several words stand in two lines, so that a table is as wide as its figures. */
function twoLines(head: readonly string[]): string[][] {
  const lasts = head.map((heading) => heading.lastIndexOf(' '));
  if (lasts.every((last) => last < 0)) return [[...head]];
  return [
    head.map((heading, i) => heading.slice(0, Math.max(0, lasts[i]!))),
    head.map((heading, i) => heading.slice(lasts[i]! + 1)),
  ];
}

/** Of one unit and to a tenth, so that the figures can be added. */
const tenthsOfMb = (kb: number): number => Math.round((kb * 10) / 1024);
const mbText = (tenths: number): string => `${(tenths / 10).toFixed(1)} MiB`;

/** MemTotal by who has it. */
export function memoryParts({ meminfo, pcpKb, cache, vmstat }: Moment): SectionPart[] {
  const kb = (name: string) => meminfo[name] ?? 0;
  const parts = partsOfMemory(meminfo, pcpKb);
  const { slab, pageTables, stacks, percpu, vmalloc } = parts.kernel;
  const named: [string, number, string][] = [
    ['free', parts.free, pcpKb > 0 ? `MemFree, and ${kbSize(pcpKb)} on the processors' lists` : ''],
    ['anonymous', parts.anonymous, cache.lazyKb > 0 ? `${kbSize(cache.lazyKb)} given back lazily` : 'heaps and stacks'],
    ['shared', parts.shared, 'shared anonymous memory and tmpfs, once'],
    ['page cache', parts.files, kb('Dirty') > 0 ? `${kbSize(kb('Dirty'))} dirty` : 'files'],
    [
      'kernel',
      kernelTotal(parts.kernel),
      `Slab ${kbSize(slab)}, page tables ${kbSize(pageTables)}, stacks ${kbSize(stacks)}, vmalloc ${kbSize(vmalloc)}, per-CPU data ${kbSize(percpu)}`,
    ],
  ];
  if (parts.hugetlb > 0) named.push(['huge page pool', parts.hugetlb, `${kb('HugePages_Free')} of its pages are free`]);
  const swapped = kb('SwapTotal') - kb('SwapFree');
  const zramKb = vmstat['nr_zspages']! * 4;
  if (zramKb > 0) named.push(['zram', zramKb, `${kbSize(swapped)} of swap, compressed: in no line of meminfo`]);
  const total = tenthsOfMb(kb('MemTotal'));
  // What is left has the error of rounding too.
  const left = named.reduce((rest, [, amount]) => rest - tenthsOfMb(amount), total);
  const rows = [
    ...named.map(([name, amount, about]) => [name, mbText(tenthsOfMb(amount)), about]),
    ['other', mbText(left), 'more of the kernel, in no line of meminfo'],
    ['MemTotal', mbText(total), `MemFree ${kbSize(kb('MemFree'))}, MemAvailable ${kbSize(kb('MemAvailable'))}`],
  ];
  if (kb('SwapTotal') > 0) rows.push(['swap used', kbSize(swapped), `of ${kbSize(kb('SwapTotal'))}`]);
  return [{ head: [], rows, align: 'lrl' }];
}

/** What, how much, and of what kind. */
const amounts = (rows: readonly (readonly [string, number, string])[]): SectionTable => ({
  head: [],
  rows: rows.map(([name, amount, about]) => [name, kbSize(amount), about]),
  align: 'lrl',
});

export function sharedLines({ shared }: Moment): string[] {
  const bySize = [...shared].sort((a, b) => b.residentKb - a.residentKb);
  const lines = bySize.slice(0, OBJECTS_SHOWN).map(sharedLine);
  const more = bySize.slice(OBJECTS_SHOWN);
  if (more.length > 0) {
    const kb = more.reduce((sum, { residentKb }) => sum + residentKb, 0);
    lines.push(`${number(more.length, 'object')} more: ${kbSize(kb)}`);
  }
  return lines;
}

const KIND_TEXT = { anonymous: 'shared anonymous memory', memfd: 'memfd', tmpfs: 'file of tmpfs' } as const;

function sharedLine({ name, kind, sizeKb, residentKb, swapKb, mappers, nobodysKb, payers }: SharedObject): string {
  const users = mappers
    .filter(({ rssKb: own }) => own > 0)
    .sort((a, b) => b.rssKb - a.rssKb)
    .map(({ process, rssKb: rss, pssKb }) => `${process} RSS ${kbSize(rss)} (its share ${kbSize(pssKb)})`);
  const parts = [
    `${name}, ${KIND_TEXT[kind]} of ${kbSize(sizeKb)}: ${kbSize(residentKb)} in memory${swapKb > 0 ? `, ${kbSize(swapKb)} in swap` : ''}`,
    ...(users.length > 0 ? [list(users, 6)] : []),
    ...(nobodysKb > 0 ? [`${kbSize(nobodysKb)} in nobody's RSS`] : []),
    ...holders(mappers, kind, users.length),
  ];
  const paid = payers.filter(({ group }) => group !== '/');
  if (paid.length > 0)
    parts.push(`paid by ${list(paid.map(({ group, kb }) => `${group} (${kbSize(kb)})`))}, who touched it first`);
  return parts.join('; ');
}

/** On whom it hangs that it stays: those that map it without having touched it too, which no RSS tells. */
function holders(mappers: SharedObject['mappers'], kind: SharedObject['kind'], users: number): string[] {
  if (kind === 'tmpfs') return ['it stays until the file is removed'];
  if (mappers.length === 0) return ['an open descriptor keeps it'];
  const idle = mappers.filter(({ rssKb: own }) => own === 0).map(({ process }) => process);
  const also =
    idle.length > 0
      ? [
          `${list(idle, 6)} ${idle.length === 1 ? 'maps' : 'map'} it and ${idle.length === 1 ? 'has' : 'have'} none of it in RSS`,
        ]
      : [];
  const stays =
    mappers.length === 1
      ? `it stays while ${mappers[0]!.process} maps it`
      : 'it stays until the last of them unmaps it';
  return users === 0 && idle.length > 0 ? [stays] : [...also, stays];
}

/** MemAvailable by its parts, and what they would cost. */
export function availableParts(run: MachineRun, { meminfo, cache }: Moment): SectionPart[] {
  const kb = (name: string) => meminfo[name] ?? 0;
  const now = run.k.zones;
  const reserve = now.reduce(
    (sum, zone) => sum + Math.min(zone.managed, zone.high + Math.max(...zone.protection)) * 4,
    0,
  );
  const low = now.reduce((sum, zone) => sum + zone.low * 4, 0);
  const files = kb('Active(file)') + kb('Inactive(file)');
  const counted = files - Math.min(files / 2, low);
  const slab = kb('SReclaimable') - Math.min(kb('SReclaimable') / 2, low);
  const rows: [string, number, string][] = [
    ['free at once', Math.max(0, kb('MemFree') - reserve), `MemFree less the ${kbSize(reserve)} that the kernel keeps`],
    ['lists of files', counted, `of ${kbSize(files)}: it takes ${kbSize(files - counted)} of them to stay cached`],
    ['slab', slab, 'names and inodes: given back when memory runs short'],
  ];
  const real = rows.filter(([, amount]) => amount > 0);
  const parts: SectionPart[] = real.length > 0 ? [amounts(real)] : [];
  const inLists = [
    ...(cache.cleanInactiveKb > 0 ? [`${kbSize(cache.cleanInactiveKb)} used once, dropped at no cost`] : []),
    ...(cache.cleanActiveKb > 0
      ? [`${kbSize(cache.cleanActiveKb)} in use again and again, read anew when it is missed`]
      : []),
    ...(cache.dirtyKb > 0 ? [`${kbSize(cache.dirtyKb)} to be written first`] : []),
    ...(cache.mappedKb > 0 ? [`${kbSize(cache.mappedKb)} mapped by programs`] : []),
    ...(cache.lazyKb > 0 ? [`${kbSize(cache.lazyKb)} that programs gave back lazily`] : []),
  ];
  if (inLists.length > 0) parts.push(`on the lists of files: ${inLists.join('; ')}`);
  if (kb('Shmem') > 0) parts.push(`not in it: ${kbSize(kb('Shmem'))} of Shmem, which only swap could take`);
  return parts;
}

export function groupLines({ groupMoments }: Moment): string[] {
  return groupMoments.filter(({ currentBytes }) => currentBytes > 0).map(groupLine);
}

function groupLine({ name, currentBytes, maxBytes, stat, events }: GroupMoment): string {
  const of = (key: string) => stat[key] ?? 0;
  const cache = of('file') - of('shmem');
  const limit = Number.isFinite(maxBytes) ? ` of ${size(maxBytes)}` : '';
  const working = Math.max(0, currentBytes - of('inactive_file'));
  const happened = Object.entries(events)
    .filter(([, count]) => count > 0)
    .map(([event, count]) => `${event} ${count}`);
  return [
    `${name}: ${size(currentBytes)}${limit}: processes ${size(of('anon'))}, cache ${size(cache)} (${size(of('inactive_file'))} inactive, ${size(of('active_file'))} active${of('file_dirty') > 0 ? `, ${size(of('file_dirty'))} dirty` : ''}), shared memory ${size(of('shmem'))}, kernel ${size(of('kernel'))}`,
    `working set ${size(working)}: all but the inactive cache`,
    ...(happened.length > 0 ? [`events: ${happened.join(', ')}`] : []),
  ].join('; ');
}

export function reclaimableParts({ full, meminfo }: Moment): SectionPart[] {
  const bySize = [...full].sort((a, b) => rssKb(b) - rssKb(a));
  const rows = bySize.slice(0, PROCESSES_SHOWN).map((process) => reclaimableRow(process, meminfo['SwapFree']! > 0));
  if (rows.length === 0) return [];
  const head = ['process', 'RSS', 'lazily freed', 'clean file', 'only by swap', 'not at all'];
  const parts: SectionPart[] = [{ head, rows, align: 'lr' }];
  const more = bySize.length - rows.length;
  if (more > 0) parts.push(`and ${number(more, 'more process', 'more processes')}`);
  if (meminfo['SwapTotal'] === 0) parts.push('there is no swap: anonymous and shared memory stays');
  return parts;
}

/** RSS in full: of smaps_rollup, which does not lag. */
function reclaimableRow({ name, rollup }: ProcessMoment, hasSwap: boolean): string[] {
  const of = (key: string) => rollup[key] ?? 0;
  const lazy = of('LazyFree');
  const clean = Math.max(0, of('Shared_Clean') + of('Private_Clean') - lazy);
  const locked = of('Locked');
  const rest = Math.max(0, of('Rss') - lazy - clean - locked);
  return [
    name,
    kbSize(of('Rss')),
    kbSize(lazy),
    kbSize(clean),
    kbSize(hasSwap ? rest : 0),
    kbSize(hasSwap ? locked : rest + locked),
  ];
}

interface Series {
  readonly name: string;
  readonly of: (reading: Reading) => number;
}

/** Grown by less than this is not told. */
const LEAST_CLIMB_KB = 1024;
const CLIMBS_SHOWN = 5;

/** Figures that are higher at the end than at the start, the most grown first. */
export function climbLines({ readings }: History): string[] {
  const first = readings[0]!;
  const last = readings.at(-1)!;
  const machine: Series[] = [
    'AnonPages',
    'Active(anon)',
    'Shmem',
    'Slab',
    'PageTables',
    'KernelStack',
    'Committed_AS',
  ].map((name) => ({ name, of: ({ meminfo }) => meminfo[name] ?? 0 }));
  const processes: Series[] = last.processes.map(({ name }) => ({
    name: `RSS of ${name}`,
    of: (reading) => {
      const own = reading.processes.find((process) => process.name === name);
      return own ? rssKb(own) : 0;
    },
  }));
  const groups: Series[] = last.groups.map(({ name }) => ({
    name: `memory.current of ${name}`,
    of: (reading) => (reading.groups.find((group) => group.name === name)?.currentBytes ?? 0) / 1024,
  }));
  const climbs = [...machine, ...processes, ...groups]
    .map(({ name, of }) => {
      const values = readings.map(of);
      const rises = values.filter((value, i) => i > 0 && value > values[i - 1]!).length;
      const falls = values.filter((value, i) => i > 0 && value < values[i - 1]!).length;
      return { name, from: of(first), to: of(last), rises, falls };
    })
    .filter(({ from, to }) => to - from >= LEAST_CLIMB_KB)
    .sort((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, CLIMBS_SHOWN)
    .map(
      ({ name, from, to, rises, falls }) =>
        `${name}: ${kbSize(from)} to ${kbSize(to)}, up in ${number(rises, 'step')}, ${falls === 0 ? 'never down' : `down in ${falls}`}`,
    );
  const available = readings.map(({ meminfo }) => meminfo['MemAvailable']!);
  const fell = available[0]! - available.at(-1)!;
  if (climbs.length === 0 || fell < LEAST_CLIMB_KB) return climbs;
  const downs = available.filter((value, i) => i > 0 && value < available[i - 1]!).length;
  return [
    ...climbs,
    `and MemAvailable falls: ${kbSize(available[0]!)} to ${kbSize(available.at(-1)!)}, down in ${number(downs, 'step')}`,
  ];
}
