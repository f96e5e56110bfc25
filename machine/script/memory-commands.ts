import type { Advice } from '../kernel/advice.ts';
import { type Faulting, mmPopulate } from '../kernel/gup.ts';
import type { Task } from '../kernel/kernel.ts';
import { doMadvise } from '../kernel/madvise.ts';
import { doMlock, doMunlock } from '../kernel/mlock.ts';
import type { AddressSpace } from '../kernel/mm-types.ts';
import { doBrk, doMunmap, mmapRegion } from '../kernel/mmap.ts';
import { doMprotect } from '../kernel/mprotect.ts';
import { doMremap } from '../kernel/mremap.ts';
import { forkTask } from '../kernel/process.ts';
import { chargeInode, newObject, putObject } from '../kernel/shmem.ts';
import { JIFFY_US } from '../kernel/timer.ts';
import { VM_HUGETLB, VM_LOCKED, VM_NORESERVE, VM_READ, VM_SHARED, VM_WRITE } from '../kernel/vm-flags.ts';
import { writePages } from '../kernel/writeback.ts';
import { has, type MayFault, option, pagesOf, type Result, range } from './command-words.ts';
import { roomForFiles } from './descriptors.ts';
import type { MachineRun } from './machine-run.ts';
import { sizeOf } from './parse.ts';
import { noteHeapStart, returnFromFork } from './worker-image.ts';

function map(
  run: MachineRun,
  task: Task,
  words: readonly string[],
  lengthAt: number,
  object: AddressSpace | null,
): Result | Faulting {
  const { k } = run;
  const start = Math.floor((run.addressOf(words[0]!, task) + (option(words, 'shift') ?? 0)) / 4096);
  const pages = pagesOf(sizeOf(words[lengthAt]!)!);
  let flags = has(words, 'ro') ? VM_READ : has(words, 'none') ? 0 : VM_READ | VM_WRITE;
  if (has(words, 'shared')) flags |= VM_SHARED;
  if (has(words, 'noreserve')) flags |= VM_NORESERVE;
  if (has(words, 'lock')) flags |= VM_LOCKED;
  if (has(words, 'huge')) flags |= VM_HUGETLB;
  const pgoff = Math.floor((option(words, 'fileoff') ?? 0) / 4096);
  const error = mmapRegion(k, task, { start, pages, flags, object, pgoff });
  if (error) return error;
  return has(words, 'populate') || has(words, 'lock') ? mmPopulate(k, task, start, start + pages, true) : 0;
}

/** Calls on a process's memory, and those that begin and end processes. */
export const MEMORY_CALLS: Readonly<Record<string, MayFault>> = {
  mmap: (run, { task }, words) => map(run, task, words, 1, null),
  filemap: (run, { task }, words) => {
    if (roomForFiles(task, 1) === 0) return 'EMFILE';
    const { files } = run;
    const { id } = task.group;
    const object = has(words, 'ro') ? files.open(words[1]!, id) : files.create(words[1]!, id);
    if (typeof object === 'string') return has(words, 'ro') && object === 'EISDIR' ? 'ENODEV' : object;
    return map(run, task, words, 2, object);
  },
  memfd: (run, { task }, words) => {
    if (roomForFiles(task, 1) === 0) return 'EMFILE';
    const object = newObject(
      run.k,
      'shmem',
      `/memfd:#${run.slotOf(words[0]!)} (deleted)`,
      pagesOf(sizeOf(words[1]!)!) * 4096,
      true,
    );
    chargeInode(run.k, object, task.group.id);
    object.links = 0;
    object.users++;
    const result = map(run, task, words, 1, object);
    putObject(run.k, object);
    return result;
  },
  munmap: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    return doMunmap(run.k, task, start, pages) ?? 0;
  },
  mlock: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    return doMlock(run.k, task, start, pages);
  },
  munlock: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    return doMunlock(run.k, task, start, pages);
  },
  msync: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    for (const vma of task.mm.vmas) {
      if (vma.end <= start || vma.start >= start + pages || !vma.object || !(vma.flags & VM_SHARED)) continue;
      const from = vma.linearIndex(Math.max(start, vma.start));
      const to = vma.linearIndex(Math.min(start + pages, vma.end));
      writePages(run.k, vma.object, from, to);
    }
    return 0;
  },
  mprotect: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    const protection = has(words, 'none') ? 0 : has(words, 'ro') ? VM_READ : VM_READ | VM_WRITE;
    return doMprotect(run.k, task, start, pages, protection) ?? 0;
  },
  mremap: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    const to = words[4] === 'to' ? Math.floor(run.addressOf(words[5]!, task) / 4096) : undefined;
    return doMremap(run.k, task, start, pages, pagesOf(sizeOf(words[3]!)!), to) ?? 0;
  },
  brk: (run, { task }, words) => {
    if (run.noteHeap(task)) noteHeapStart(run.k, task);
    return doBrk(run.k, task, sizeOf(words[0]!)!) ?? 0;
  },
  madvise: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    return doMadvise(run.k, task, start, pages, words[3] as Advice);
  },
  fork: (run, { task, cgroup, heap }, words) => {
    const startUs = run.k.nowUs;
    const child = forkTask(run.k, task, words[0]!);
    if (typeof child === 'string') {
      run.refusedForks.add(words[0]!);
      return child;
    }
    const own = heap && run.runners.has(words[0]!) ? heap.fork(child) : undefined;
    run.enter(words[0]!, child, cgroup, own);
    returnFromFork(run.k, task, run.k.nowUs - startUs > JIFFY_US);
    return 0;
  },
  exit: (run, { task }, words) => {
    run.die(task, 'exit', Number(words[0] ?? 0));
    return 0;
  },
};
