import { assert } from '../../sim/contract/assert.ts';

/** MemTotal by what it is: each page in one part. In the unit of the figures that it was made of. */
export interface MemoryParts {
  /** MemFree, and what waits on the lists of the processors. */
  readonly free: number;
  readonly anonymous: number;
  /** Shmem, which Cached counts too. */
  readonly shared: number;
  readonly files: number;
  /** Pages of 2 MiB that are set aside, used or not. */
  readonly hugetlb: number;
  readonly kernel: KernelParts;
  /** In no line of meminfo: upper page directories, buffers of sockets and pipes, what the kernel took when it started. */
  readonly other: number;
}

export interface KernelParts {
  readonly slab: number;
  readonly pageTables: number;
  readonly stacks: number;
  readonly percpu: number;
  /** VmallocUsed without the stacks, which lie there. */
  readonly vmalloc: number;
}

/** Of /proc/meminfo's lines in any unit, those that are absent 0. */
export function kernelParts(meminfo: Readonly<Record<string, number>>): KernelParts {
  const of = (name: string) => meminfo[name] ?? 0;
  return {
    slab: of('Slab'),
    pageTables: of('PageTables'),
    stacks: of('KernelStack'),
    percpu: of('Percpu'),
    vmalloc: Math.max(0, of('VmallocUsed') - of('KernelStack')),
  };
}

export const kernelTotal = ({ slab, pageTables, stacks, percpu, vmalloc }: KernelParts): number =>
  slab + pageTables + stacks + percpu + vmalloc;

/** `pcp` are the pages on the processors' lists, in the unit of `meminfo`. Pages of the swap cache are in `anonymous` where they are mapped. */
export function partsOfMemory(meminfo: Readonly<Record<string, number>>, pcp: number): MemoryParts {
  const of = (name: string) => meminfo[name] ?? 0;
  const parts = {
    free: of('MemFree') + pcp,
    anonymous: of('AnonPages'),
    shared: of('Shmem'),
    files: of('Cached') + of('Buffers') - of('Shmem'),
    hugetlb: of('Hugetlb'),
    kernel: kernelParts(meminfo),
  };
  const { free, anonymous, shared, files, hugetlb, kernel } = parts;
  const other = of('MemTotal') - (free + anonymous + shared + files + hugetlb + kernelTotal(kernel));
  assert(other >= 0, 'the parts of memory are more than MemTotal');
  return { ...parts, other };
}
