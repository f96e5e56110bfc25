/** rmap_walk of mm/rmap.c: from frames to the entries of page tables that map them. */
import { PG_ANON } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { Vma } from './mm-types.ts';
import { frameOfPte, type Pmd, PTE_PRESENT, PTE_SPECIAL, PTRS_PER_PTE } from './page-table.ts';

export interface Mapping {
  readonly vma: Vma;
  readonly page: number;
  readonly pmd: Pmd;
  /** The entry maps the frame as part of a huge page. */
  readonly huge: boolean;
}

/** Of an object's or family's 512 pages: those that a mapping has, in at most two tables. */
interface Tables {
  readonly vma: Vma;
  readonly start: number;
  readonly end: number;
  /** First page of the second table. */
  readonly second: number;
  readonly low: Pmd | undefined;
  readonly high: Pmd | undefined;
  /** From the index of a page to its place in the process. */
  readonly shift: number;
}

/** Of the mappings of an object or a family the one that the last page with a single mapping was in. */
const lastMapper = new WeakMap<Set<Vma>, Vma>();

/**
 * Finds every entry that maps a frame, for frames that are looked at together: meanwhile no mapping and no table comes. Frames of one list
 * are mostly neighbours in one file, so the tables of whoever maps it, which may be thousands, are looked up once for 512 of them.
 */
export class RmapWalk {
  private readonly k: Kernel;
  private vmas: Set<Vma> | undefined;
  private part = -1;
  /** Of `vmas`, as far as it was needed; the rest is still to come. */
  private tables: Tables[] = [];
  private rest: Iterator<Vma> = [].values();
  private last: Tables | undefined;
  private lastPart = -1;

  constructor(k: Kernel) {
    this.k = k;
  }

  mappingsOf(frame: number): Mapping[] {
    const { frames, anonVmas, objects } = this.k;
    const result: Mapping[] = [];
    const anonymous = (frames.flags[frame]! & PG_ANON) !== 0;
    const vmas = anonymous ? anonVmas[frames.owner[frame]!]?.vmas : objects[frames.owner[frame]!]?.vmas;
    if (!vmas) return result;
    const index = frames.index[frame]!;
    const count = frames.mapcountOf(frame);
    if (count === 0) return result;
    const part = Math.floor(index / PTRS_PER_PTE);
    // Pages of one process follow each other on the lists: who had the last one is asked first.
    const last = count === 1 ? lastMapper.get(vmas) : undefined;
    const found = last && vmas.has(last) ? mappingIn(this.tablesOfLast(last, part), index, frame) : undefined;
    if (found) return [found];
    if (vmas !== this.vmas || part !== this.part) {
      this.vmas = vmas;
      this.part = part;
      this.tables = [];
      this.rest = vmas.values();
    }
    for (let i = 0; result.length < count; i++) {
      const tables = this.tables[i] ?? this.following(part);
      if (!tables) break;
      const own = mappingIn(tables, index, frame);
      if (own) result.push(own);
    }
    if (count === 1 && result[0]) lastMapper.set(vmas, result[0].vma);
    return result;
  }

  private tablesOfLast(vma: Vma, part: number): Tables {
    if (this.last?.vma !== vma || this.lastPart !== part) {
      this.last = tablesOf(vma, part);
      this.lastPart = part;
    }
    return this.last;
  }

  /** The tables of the next mapping that has something in them. */
  private following(part: number): Tables | undefined {
    for (let next = this.rest.next(); !next.done; next = this.rest.next()) {
      const tables = tablesOf(next.value, part);
      if (isEmpty(tables.low) && isEmpty(tables.high)) continue;
      this.tables.push(tables);
      return tables;
    }
    return undefined;
  }
}

/** Every entry that maps the frame. */
export const mappingsOf = (k: Kernel, frame: number): Mapping[] => new RmapWalk(k).mappingsOf(frame);

function tablesOf(vma: Vma, part: number): Tables {
  const { mm, start, end, pgoff } = vma;
  const shift = start - pgoff;
  const first = part * PTRS_PER_PTE + shift;
  const second = (Math.floor(first / PTRS_PER_PTE) + 1) * PTRS_PER_PTE;
  const high = second < first + PTRS_PER_PTE ? mm.pmdAt(second) : undefined;
  return { vma, start, end, second, low: mm.pmdAt(first), high, shift };
}

const isEmpty = (pmd: Pmd | undefined) => !pmd || (pmd.used === 0 && pmd.huge === 0);

function mappingIn({ vma, start, end, second, low, high, shift }: Tables, index: number, frame: number) {
  const page = index + shift;
  if (page < start || page >= end) return undefined;
  const pmd = page < second ? low : high;
  if (!pmd) return undefined;
  if (pmd.huge !== 0) {
    const at = frameOfPte(pmd.huge) + (page % PTRS_PER_PTE);
    return !(pmd.huge & PTE_SPECIAL) && at === frame ? { vma, page, pmd, huge: true } : undefined;
  }
  const pte = pmd.get(page % PTRS_PER_PTE);
  return pte & PTE_PRESENT && !(pte & PTE_SPECIAL) && frameOfPte(pte) === frame
    ? { vma, page, pmd, huge: false }
    : undefined;
}
