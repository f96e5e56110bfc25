import { type Bytes, PAGE_BYTES } from '../../../sim/contract/units.ts';
import { type Area, areaAt, RESERVED } from '../../run/areas.ts';
import type { AreaColumns } from '../page-data.ts';
import type { Births } from './births.ts';
import { keepingRule } from './keeping-rule.ts';
import { firstFrom, type LiveBlock, type ResidentPages } from './resident-pages.ts';

/** Of more areas than this a page names the groups alone. */
const AREAS_MAX = 5000;
/** A header or a fencepost may lie behind the last free byte of a heap. */
const HEADER_BYTES = 16;
/** So many threads are named. */
const THREADS_MAX = 3;

const NONE: AreaColumns = {
  start: [],
  bytes: [],
  name: [],
  names: [],
  live: [],
  liveEnd: [],
  endStart: [],
  threads: [],
  threadTexts: [],
  rule: [],
  rules: [],
};

/** Every area with a resident page: its name, who has blocks in it, and what keeps its free pages. */
export function areaColumns(
  read: ResidentPages,
  areas: readonly Area[],
  births: Births,
  tunables: Readonly<Record<string, number>> | undefined,
): AreaColumns {
  const resident = areas.filter((area) => area.name !== RESERVED && hasPages(read.page, area));
  if (resident.length > AREAS_MAX) return NONE;
  const held = blocksByArea(read.blocks, resident);
  const names = numbered();
  const owners = numbered();
  const rules = numbered();
  const rows = resident.map((area, i) => {
    const blocks = held[i]!;
    const last = blocks.at(-1);
    const liveEnd = last ? last.address + last.usableBytes - area.start : 0;
    return {
      start: area.start - (resident[i - 1]?.start ?? 0),
      bytes: area.end - area.start,
      name: names.of(area.name),
      live: blocks.length,
      liveEnd,
      endStart: area.kind === 'heap' ? freeEndOf(read, area) : liveEnd,
      threads: owners.of(threadsText(blocks, births)),
      rule: rules.of(JSON.stringify(keepingRule(area, tunables))),
    };
  });
  const column = (name: keyof (typeof rows)[number]) => rows.map((row) => row[name]);
  return {
    start: column('start'),
    bytes: column('bytes'),
    name: column('name'),
    names: names.all(),
    live: column('live'),
    liveEnd: column('liveEnd'),
    endStart: column('endStart'),
    threads: column('threads'),
    threadTexts: owners.all(),
    rule: column('rule'),
    rules: rules.all().map((text) => JSON.parse(text) as AreaColumns['rules'][number]),
  };
}

/** Where the free memory at the end of a heap begins, from the heap's start: below it freed chunks may lie that nothing merges with. */
function freeEndOf({ free }: ResidentPages, { start, end }: Area): Bytes {
  const top = free.findLast((range) => range.start < end);
  return top && top.start >= start && top.end >= end - HEADER_BYTES ? top.start - start : end - start;
}

function hasPages(page: Int32Array, { start, end }: Area): boolean {
  const first = firstFrom(page, Math.floor(start / PAGE_BYTES));
  return first < page.length && page[first]! * PAGE_BYTES < end;
}

function blocksByArea(blocks: readonly LiveBlock[], areas: readonly Area[]): LiveBlock[][] {
  const held = areas.map((): LiveBlock[] => []);
  for (const block of blocks) {
    const index = areaAt(areas, block.address);
    if (index >= 0) held[index]!.push(block);
  }
  return held;
}

/** Whose blocks lie there: `thread 5`, `threads 1, 2`, `14 threads`; '' where nobody's do or it is not known. */
function threadsText(blocks: readonly LiveBlock[], { eventOf, threadOf }: Births): string {
  const threads = new Set<number>();
  for (const { slot, handle } of blocks) {
    const event = eventOf(slot, handle);
    if (event >= 0) threads.add(threadOf(event));
  }
  if (threads.size === 0) return '';
  if (threads.size > THREADS_MAX) return `${threads.size} threads`;
  return `thread${threads.size > 1 ? 's' : ''} ${[...threads].sort((x, y) => x - y).join(', ')}`;
}

/** Distinct texts, each with its number. */
function numbered() {
  const numbers = new Map<string, number>();
  return {
    of(value: string): number {
      const known = numbers.get(value);
      if (known !== undefined) return known;
      numbers.set(value, numbers.size);
      return numbers.size - 1;
    },
    all: (): string[] => [...numbers.keys()],
  };
}
