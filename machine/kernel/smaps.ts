/** fs/proc/task_mmu.c: what smaps says of a mapping, in kB. */
import { type Frames, PG_ANON, PG_DIRTY, PG_HEAD, PG_REFERENCED, PG_SWAPBACKED, PG_TAIL } from './frames.ts';
import { hugepageVmaCheck } from './huge-vma.ts';
import type { Kernel, Task } from './kernel.ts';
import { type AddressSpace, MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, type Mm, type Vma } from './mm-types.ts';
import {
  frameOfPte,
  type Pmd,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SHIFT,
  PTE_SPECIAL,
  PTE_SWAP,
  PTE_YOUNG,
} from './page-table.ts';
import { swappedPages } from './shmem.ts';
import { VM_EXEC, VM_HUGETLB, VM_LOCKED, VM_READ, VM_SHARED, VM_WRITE } from './vm-flags.ts';

/** mem_size_stats: pages, and proportional sizes in 1/4096 bytes. */
interface MemSizeStats {
  rss: number;
  pss: number;
  pssDirty: number;
  pssAnon: number;
  pssFile: number;
  pssShmem: number;
  sharedClean: number;
  sharedDirty: number;
  privateClean: number;
  privateDirty: number;
  referenced: number;
  anonymous: number;
  lazyfree: number;
  anonHuge: number;
  shmemHuge: number;
  sharedHugetlb: number;
  privateHugetlb: number;
  swap: number;
  pssLocked: number;
}

const newStats = (): MemSizeStats => ({
  rss: 0,
  pss: 0,
  pssDirty: 0,
  pssAnon: 0,
  pssFile: 0,
  pssShmem: 0,
  sharedClean: 0,
  sharedDirty: 0,
  privateClean: 0,
  privateDirty: 0,
  referenced: 0,
  anonymous: 0,
  lazyfree: 0,
  anonHuge: 0,
  shmemHuge: 0,
  sharedHugetlb: 0,
  privateHugetlb: 0,
  swap: 0,
  pssLocked: 0,
});

/** 4096 << PSS_SHIFT. */
const PAGE_PSS = 4096 * 4096;

/** smaps_account of one page. */
function account(
  k: Kernel,
  mss: MemSizeStats,
  frame: number,
  mapcount: number,
  young: boolean,
  dirtyPte: boolean,
  locked: boolean,
): void {
  // Of a huge page its head has them.
  const flags = k.frames.flags[k.frames.headOf(frame)]!;
  const anonymous = (flags & PG_ANON) !== 0;
  const dirty = dirtyPte || (flags & PG_DIRTY) !== 0;
  mss.rss++;
  if (anonymous) {
    mss.anonymous++;
    if (!(flags & PG_SWAPBACKED) && !dirty) mss.lazyfree++;
  }
  if (young || flags & PG_REFERENCED) mss.referenced++;
  const pss = mapcount >= 2 ? Math.floor(PAGE_PSS / mapcount) : PAGE_PSS;
  mss.pss += pss;
  if (anonymous) mss.pssAnon += pss;
  else if (flags & PG_SWAPBACKED) mss.pssShmem += pss;
  else mss.pssFile += pss;
  if (locked) mss.pssLocked += pss;
  if (dirty) {
    mss.pssDirty += pss;
    if (mapcount >= 2) mss.sharedDirty++;
    else mss.privateDirty++;
  } else if (mapcount >= 2) mss.sharedClean++;
  else mss.privateClean++;
}

/** shmem_swap_usage of the mapping's part; a private one that may be written counts only where it has no page of its own. */
function shmemSwapUsage(vma: Vma, object: AddressSpace): number {
  const hasCopies = (vma.flags & (VM_SHARED | VM_WRITE)) === VM_WRITE;
  let pages = 0;
  for (const index of swappedPages(object).keys()) {
    const page = index - vma.pgoff + vma.start;
    if (page < vma.start || page >= vma.end) continue;
    if (!hasCopies || !vma.mm.pmdAt(page)?.get(page % 512)) pages++;
  }
  return pages;
}

/** Huge pages of a mapping without any access (pmd_protnone) are not seen where they are looked up as get_user_pages does (follow_trans_huge_pmd). */
const hidesHugePages = ({ profile }: Kernel, { flags }: Vma): boolean =>
  profile.features.smapsFollowsHugePmd && (flags & (VM_READ | VM_WRITE | VM_EXEC)) === 0;

/** smap_gather_stats. */
function gather(k: Kernel, vma: Vma, mss: MemSizeStats): void {
  const { frames } = k;
  const locked = (vma.flags & VM_LOCKED) !== 0;
  if (vma.object?.kind === 'shmem') mss.swap += shmemSwapUsage(vma, vma.object);
  vma.mm.eachPmd(vma.start, vma.end, (key, pmd) => {
    const from = Math.max(vma.start, key * 512) - key * 512;
    const to = Math.min(vma.end, key * 512 + 512) - key * 512;
    if (pmd.huge !== 0) {
      if (pmd.huge & PTE_SPECIAL) return;
      const head = frameOfPte(pmd.huge);
      if (vma.flags & VM_HUGETLB) {
        if (frames.compoundMapcountOf(head) >= 2) mss.sharedHugetlb += 512;
        else mss.privateHugetlb += 512;
        return;
      }
      if (hidesHugePages(k, vma)) return;
      if (vma.object) mss.shmemHuge += 512;
      else mss.anonHuge += 512;
      const young = (pmd.huge & PTE_YOUNG) !== 0 || (frames.flags[head]! & PG_REFERENCED) !== 0;
      const dirty = (pmd.huge & PTE_DIRTY) !== 0 || (frames.flags[head]! & PG_DIRTY) !== 0;
      const lazy = !(frames.flags[head]! & PG_SWAPBACKED);
      const before = mss.lazyfree;
      for (let i = 0; i < 512; i++) account(k, mss, head + i, frames.mapcountOf(head + i), young, dirty, locked);
      mss.lazyfree = before + (lazy && !dirty ? 512 : 0);
      return;
    }
    for (let i = from; i < to; i++) {
      const pte = pmd.get(i);
      if (pte & PTE_SWAP) mss.swap++;
      if (!(pte & PTE_PRESENT) || pte & PTE_SPECIAL) continue;
      const frame = frameOfPte(pte);
      account(k, mss, frame, frames.mapcountOf(frame), (pte & PTE_YOUNG) !== 0, (pte & PTE_DIRTY) !== 0, locked);
    }
  });
}

const kbOfPss = (pss: number) => Math.floor(pss / 4096 / 1024);

/** __show_smap: in the order and under the names of the kernel; all in kB. */
function fields(mss: MemSizeStats, rollup: boolean): Record<string, number> {
  return {
    Rss: mss.rss * 4,
    Pss: kbOfPss(mss.pss),
    Pss_Dirty: kbOfPss(mss.pssDirty),
    ...(rollup
      ? { Pss_Anon: kbOfPss(mss.pssAnon), Pss_File: kbOfPss(mss.pssFile), Pss_Shmem: kbOfPss(mss.pssShmem) }
      : {}),
    Shared_Clean: mss.sharedClean * 4,
    Shared_Dirty: mss.sharedDirty * 4,
    Private_Clean: mss.privateClean * 4,
    Private_Dirty: mss.privateDirty * 4,
    Referenced: mss.referenced * 4,
    Anonymous: mss.anonymous * 4,
    LazyFree: mss.lazyfree * 4,
    AnonHugePages: mss.anonHuge * 4,
    ShmemPmdMapped: mss.shmemHuge * 4,
    FilePmdMapped: 0,
    Shared_Hugetlb: mss.sharedHugetlb * 4,
    Private_Hugetlb: mss.privateHugetlb * 4,
    Swap: mss.swap * 4,
    SwapPss: mss.swap * 4,
    Locked: kbOfPss(mss.pssLocked),
  };
}

/** smaps of one mapping. */
export function smapsOf(k: Kernel, vma: Vma): Record<string, number> {
  const mss = newStats();
  gather(k, vma, mss);
  return { Size: vma.pages * 4, ...fields(mss, false), THPeligible: hugepageVmaCheck(k, vma) ? 1 : 0 };
}

/** smaps_rollup: sums before they are rounded to kB. */
export function smapsRollup(k: Kernel, task: Task): Record<string, number> {
  const mss = newStats();
  for (const vma of task.mm.vmas) gather(k, vma, mss);
  return fields(mss, true);
}

/** Of one process, in bytes: memory divided among those who map it, and anonymous memory that nobody else maps. */
export interface ProportionalSizes {
  readonly pssBytes: number;
  readonly pssAnonBytes: number;
  readonly privateAnonBytes: number;
}

/** What a process has of pages that others map too: their number, and its part of them in 1/4096 bytes. */
interface SharedPart {
  /** Of the frames, when this was counted. */
  readonly sharing: number;
  readonly pages: number;
  readonly anonPages: number;
  readonly pss: number;
  readonly pssAnon: number;
}

const sharedParts = new WeakMap<Mm, SharedPart>();

/**
 * Pss, Pss_Anon and the private part of Anonymous of smaps_rollup, without the rest of it. Pages are looked at only where something shared has
 * changed hands since the last time; all others are private, and the process has counted them.
 */
export function proportionalSizes({ frames }: Kernel, { mm, rssCache }: Task): ProportionalSizes {
  let shared = sharedParts.get(mm);
  if (shared?.sharing !== frames.sharing) {
    shared = sharedPart(frames, mm);
    sharedParts.set(mm, shared);
  }
  const anonPages = mm.rss[MM_ANONPAGES] + rssCache[MM_ANONPAGES]!;
  const pages =
    anonPages + mm.rss[MM_FILEPAGES] + rssCache[MM_FILEPAGES]! + mm.rss[MM_SHMEMPAGES] + rssCache[MM_SHMEMPAGES]!;
  const privateAnon = anonPages - shared.anonPages;
  return {
    pssBytes: Math.floor(shared.pss / 4096) + (pages - shared.pages) * 4096,
    pssAnonBytes: Math.floor(shared.pssAnon / 4096) + privateAnon * 4096,
    privateAnonBytes: privateAnon * 4096,
  };
}

function sharedPart(frames: Frames, mm: Mm): SharedPart {
  const sum = { sharing: frames.sharing, pages: 0, anonPages: 0, pss: 0, pssAnon: 0 };
  for (const vma of mm.vmas) {
    mm.eachPmd(vma.start, vma.end, (key, pmd) => {
      const from = Math.max(vma.start, key * 512) - key * 512;
      const to = Math.min(vma.end, key * 512 + 512) - key * 512;
      if (pmd.huge === 0) addTable(frames, pmd, from, to, sum);
      else if (!(pmd.huge & PTE_SPECIAL || vma.flags & VM_HUGETLB))
        addHugePage(frames, frameOfPte(pmd.huge), from, to, sum);
    });
  }
  return sum;
}

type Sum = { -readonly [Key in keyof SharedPart]: SharedPart[Key] };

/** Millions of pages, mostly with as many mappings as the one before. */
function addTable(frames: Frames, pmd: Pmd, from: number, to: number, sum: Sum): void {
  const { mapcount, flags } = frames;
  const { entries, first } = pmd;
  if (!entries && first === 0) return;
  let before = 0;
  let part = 0;
  for (let i = from; i < to; i++) {
    const pte = entries ? entries[i]! : (first + (i << PTE_SHIFT)) | 0;
    if ((pte & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) continue;
    const frame = frameOfPte(pte);
    const own = flags[frame]!;
    const maps = own & (PG_HEAD | PG_TAIL) ? frames.mapcountOf(frame) : mapcount[frame]!;
    if (maps < 2) continue;
    if (maps !== before) part = Math.floor(PAGE_PSS / maps);
    before = maps;
    sum.pages++;
    sum.pss += part;
    if (!(own & PG_ANON)) continue;
    sum.anonPages++;
    sum.pssAnon += part;
  }
}

function addHugePage(frames: Frames, head: number, from: number, to: number, sum: Sum): void {
  const { mapcount, flags } = frames;
  const whole = frames.compoundMapcountOf(head);
  let pages = 0;
  let pss = 0;
  let before = 0;
  let part = 0;
  for (let frame = head + from; frame < head + to; frame++) {
    const maps = mapcount[frame]! + whole;
    if (maps < 2) continue;
    if (maps !== before) part = Math.floor(PAGE_PSS / maps);
    before = maps;
    pages++;
    pss += part;
  }
  sum.pages += pages;
  sum.pss += pss;
  if (!(flags[head]! & PG_ANON)) return;
  sum.anonPages += pages;
  sum.pssAnon += pss;
}
