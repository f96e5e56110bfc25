import type { AddressSpace } from './address-space.ts';
import type { Mm } from './mm.ts';

export const VM_READ = 1;
export const VM_WRITE = 2;
export const VM_EXEC = 4;
export const VM_SHARED = 8;
export const VM_LOCKED = 16;
export const VM_NORESERVE = 32;
export const VM_ACCOUNT = 64;
export const VM_HUGEPAGE = 128;
export const VM_NOHUGEPAGE = 256;
export const VM_DONTCOPY = 512;
export const VM_WIPEONFORK = 1024;
export const VM_PFNMAP = 2048;
export const VM_STACK = 4096;
export const VM_HUGETLB = 8192;
export const VM_SEQ_READ = 16384;
export const VM_RAND_READ = 32768;
/** The process's break and its .bss: shown as [heap]. */
export const VM_HEAP = 65536;

/** The family of mappings that may share anonymous pages by fork: the root of the kernel's tree of anon_vmas. */
export interface AnonVma {
  readonly id: number;
  readonly vmas: Set<Vma>;
}

/** vm_area_struct: pages [start, end) of a process. */
export class Vma {
  readonly mm: Mm;
  start: number;
  end: number;
  flags: number;
  readonly object: AddressSpace | null;
  /** Offset in the object of `start`; of anonymous memory the linear index of it, which a move keeps. */
  pgoff: number;
  anonVma: AnonVma | null = null;
  /** Inherited by fork: such a mapping joins no neighbour that has no anonymous page yet. */
  inherited = false;
  /** The group that pays for this object. */
  chargedGroup = 0;
  readonly name: string;
  /** State of the readahead of the open file. */
  readonly ra: Readahead | null;

  constructor(
    mm: Mm,
    start: number,
    end: number,
    flags: number,
    object: AddressSpace | null,
    pgoff: number,
    name: string,
    ra: Readahead | null = null,
  ) {
    this.mm = mm;
    this.start = start;
    this.end = end;
    this.flags = flags;
    this.object = object;
    this.pgoff = pgoff;
    this.name = name;
    this.ra = ra;
  }

  get pages(): number {
    return this.end - this.start;
  }

  /** Of an anonymous page or of the object: where in it `page` is. */
  linearIndex(page: number): number {
    return this.pgoff + page - this.start;
  }

  isAnonymous(): boolean {
    return this.object === null && !(this.flags & VM_PFNMAP);
  }
}

/** file_ra_state: what a file's readers have been read ahead. */
export interface Readahead {
  start: number;
  size: number;
  asyncSize: number;
  prevPos: number;
  mmapMiss: number;
  random: boolean;
}

export const newReadahead = (): Readahead => ({
  start: 0,
  size: 0,
  asyncSize: 0,
  prevPos: -1,
  mmapMiss: 0,
  random: false,
});

export const isCowMapping = (flags: number): boolean =>
  (flags & (VM_SHARED | VM_WRITE)) === VM_WRITE || (flags & VM_SHARED) === 0;
