/** Commands that make kernel objects: descriptors, pipes, sockets, threads, names. */
import type { Task, ThreadStack } from '../kernel/kernel.ts';
import { doMunmap, mmapRegion } from '../kernel/mmap.ts';
import { doMprotect } from '../kernel/mprotect.ts';
import { allocTask, isAtThreadLimit } from '../kernel/process.ts';
import {
  OPEN_NAME_US,
  OPEN_US,
  PIPE_US,
  SOCKET_PAIR_US,
  SOCKET_QUEUED_US,
  STAT_ABSENT_US,
  STAT_US,
  THREAD_US,
  UDP_SOCKET_US,
} from '../kernel/recorded-prices.ts';
import { queuedMessage } from '../kernel/skbuff.ts';
import { releaseTaskObjects, SLAB_BYTES, slabAccountTask, threadMemory } from '../kernel/slab.ts';
import { touchPage } from '../kernel/touch.ts';
import { VM_READ, VM_WRITE } from '../kernel/vm-flags.ts';
import { roomForFiles } from './descriptors.ts';
import type { MachineRun } from './machine-run.ts';
import { sizeOf } from './parse.ts';
import { startThread } from './worker-image.ts';

/** Bytes of the table of descriptors: a pointer and three bits for each, doubled when it is full. */
function growFdTable(run: MachineRun, task: Task, more: number): void {
  task.fds += more;
  let size = Math.max(64, task.fdTable);
  while (size < task.fds) size *= 2;
  if (size > 64 && size !== task.fdTable) {
    slabAccountTask(run.k, task, (size - (task.fdTable > 64 ? task.fdTable : 0)) * 8.375);
    task.fdTable = size;
  }
}

/**
 * A thread's dtv with its chunk, and where in the heap the first is: behind the program's own memory of threads (__libc_setup_tls), and the cache
 * of malloc's first call (tcache_perthread_struct).
 */
const DTV_BYTES = 288;
const TLS_END_BYTES = 0x470;
const TCACHE_BYTES = 656;
const HEAP_PAGE = 0x516;
/** The buffer that sockets are filled from: its first page. */
const SEND_BUFFER = 0x4ea;

/** What a group pays for a file; a pipe beside its two files: pipe_inode_info and 16 buffers; its inode and name. */
const FILE_CHARGE = SLAB_BYTES.filp + 8;
const PIPE_CHARGE = 192 + 8 + (1024 + 8);
const PIPE_NAMES_CHARGE = 640 + 8 + (SLAB_BYTES.dentry + 8);
const PIPE_SLAB_BYTES = SLAB_BYTES.pipe - 2 * SLAB_BYTES.filp;
/** sem_undo_list: made for the first thread that shares it (CLONE_SYSVSEM). */
const UNDO_LIST_BYTES = 32;

/** Calls that open files. */
const FILES: Readonly<Record<string, true>> = { fds: true, pipes: true, sockets: true, udp: true };
/** @returns what the call answers. */
export function objectsCommand(run: MachineRun, task: Task, name: string, words: readonly string[]): number | string {
  const { k } = run;
  const wanted = Number(words[0]);
  const each = name === 'pipes' || name === 'sockets' ? 2 : 1;
  const count = name in FILES ? Math.min(wanted, roomForFiles(task, each)) : wanted;
  const answer = count < wanted ? 'EMFILE' : count;
  switch (name) {
    case 'fds':
      k.nowUs += count * OPEN_US;
      growFdTable(run, task, count);
      slabAccountTask(k, task, count * SLAB_BYTES.filp, 'files', count * FILE_CHARGE);
      return answer;
    case 'pipes':
      k.nowUs += count * PIPE_US;
      task.pipes += count;
      growFdTable(run, task, 2 * count);
      slabAccountTask(k, task, 2 * count * SLAB_BYTES.filp, 'files', 2 * count * FILE_CHARGE);
      slabAccountTask(k, task, count * PIPE_SLAB_BYTES, 'unreclaimable', count * PIPE_CHARGE);
      slabAccountTask(k, task, count * SLAB_BYTES.pipeNames, 'reclaimable', count * PIPE_NAMES_CHARGE);
      return answer;
    case 'sockets': {
      const queued = words.find((word) => word.startsWith('queued='));
      const bytes = queued ? sizeOf(queued.slice(7))! : 0;
      k.nowUs += count * (SOCKET_PAIR_US + (bytes > 0 ? SOCKET_QUEUED_US : 0));
      task.sockets += 2 * count;
      task.queuedBytes += count * bytes;
      for (let page = 0; page < Math.ceil((bytes > 0 ? bytes + 0x340 : 0) / 4096); page++)
        touchPage(k, task, SEND_BUFFER + page, false);
      growFdTable(run, task, 2 * count);
      slabAccountTask(k, task, count * SLAB_BYTES.socketPair);
      slabAccountTask(k, task, count * SLAB_BYTES.socketPairNames, 'reclaimable');
      const message = queuedMessage(bytes);
      for (const head of message.heads) slabAccountTask(k, task, count * head, 'unreclaimable', count * (head + 8));
      if (message.pageBytes > 0) slabAccountTask(k, task, count * message.pageBytes, 'pages');
      return answer;
    }
    case 'udp':
      k.nowUs += count * UDP_SOCKET_US;
      task.udp += count;
      growFdTable(run, task, count);
      slabAccountTask(k, task, count * SLAB_BYTES.udpSocket);
      slabAccountTask(k, task, count * SLAB_BYTES.udpSocketNames, 'reclaimable');
      return answer;
    case 'closefds':
      releaseTaskObjects(k, task);
      Object.assign(task, { fds: 0, pipes: 0, sockets: 0, udp: 0, queuedBytes: 0, fdTable: 0 });
      return 0;
    case 'threads':
      return threads(run, task, words);
    case 'files':
    case 'stats':
    case 'dentries':
      return names(run, task, name, words[0]!, Number(words[1]));
    default:
      return 'EINVAL';
  }
}

/** pthread_create. A stack whose thread the kernel refuses stays for the next one. */
function threads(run: MachineRun, task: Task, words: readonly string[]): number | string {
  const size = words.find((word) => word.startsWith('stack='));
  const pages = Math.ceil((size ? sizeOf(size.slice(6))! : 8 * 2 ** 20) / 4096);
  for (let i = 0; i < Number(words[0]); i++) {
    const stack = getCachedStack(task, pages) ?? allocateStack(run, task, pages);
    if (typeof stack === 'string') return stack;
    // Their stacks are a list, whose links lie on these pages.
    if (task.newestStack) touchPage(run.k, task, task.newestStack.topPage, true);
    const tid = isAtThreadLimit(run.k) ? undefined : allocTask(run.k, task);
    if (tid === undefined) {
      task.stackCache.push(stack);
      return 'EAGAIN';
    }
    task.tids.push(tid);
    if (!task.hasUndoList) slabAccountTask(run.k, task, UNDO_LIST_BYTES);
    task.hasUndoList = true;
    task.wasThreaded = true;
    threadMemory(run.k, task, 1);
    task.threads++;
    task.newestStack = stack;
    run.k.nowUs += THREAD_US;
    run.turns.goesOn(task);
    run.turns.madeThread(task, () => startThread(run.k, task, stack.topPage));
  }
  return 0;
}

/** get_cached_stack: the smallest that is large enough, and not too large. It is taken out. */
function getCachedStack({ stackCache }: Task, pages: number): ThreadStack | undefined {
  const fitting = stackCache.filter((stack) => stack.pages >= pages && stack.pages <= 4 * pages);
  if (fitting.length === 0) return undefined;
  const best = fitting.reduce((least, stack) => (stack.pages < least.pages ? stack : least));
  stackCache.splice(stackCache.indexOf(best), 1);
  return best;
}

/** allocate_stack: a mapping that nothing may touch, of which all but the guard is opened; the top page is used. @returns it, or the error. */
function allocateStack({ k }: MachineRun, task: Task, pages: number): ThreadStack | string {
  const top = lowestMapping(task);
  const start = top - pages - 1;
  if (mmapRegion(k, task, { start, pages: pages + 1, flags: 0, object: null, pgoff: 0 })) return 'EAGAIN';
  if (doMprotect(k, task, start + 1, pages, VM_READ | VM_WRITE)) {
    doMunmap(k, task, start, pages + 1);
    return 'EAGAIN';
  }
  if (task.fatalSignal) return 'EINTR';
  touchPage(k, task, top - 1, true);
  // The thread's vector of modules comes from malloc, in the pages after the program's first two.
  task.stacksMade++;
  const topChunk = TLS_END_BYTES + TCACHE_BYTES + task.stacksMade * DTV_BYTES;
  touchPage(k, task, HEAP_PAGE + Math.floor((topChunk + 8) / 4096), true);
  return { pages, topPage: top - 1 };
}

/** Above the program, its break and the regions' places. */
const MMAP_AREA_PAGE = 0x600000000;

/** Where the area of mappings, which grows down from the kernel's pages, has got to. */
function lowestMapping(task: Task): number {
  const { vmas } = task.mm;
  const first = task.mm.indexOf(MMAP_AREA_PAGE);
  const lowest = vmas[first] && vmas[first].start <= MMAP_AREA_PAGE ? vmas[first + 1] : vmas[first];
  return Math.min(0x7ffff7ff9, lowest?.start ?? Number.POSITIVE_INFINITY);
}

function names(run: MachineRun, task: Task, name: string, directory: string, count: number): number | string {
  const group = task.group.id;
  const { files, k } = run;
  let found = 0;
  for (let i = 0; i < count; i++) {
    const path = `${directory}/${name === 'dentries' ? 'none' : 'f'}${i}`;
    if (name === 'files') {
      if (roomForFiles(task, 1) === 0) return 'EMFILE';
      k.nowUs += OPEN_NAME_US;
      const made = files.create(path, group);
      if (typeof made === 'string') return made;
      continue;
    }
    const isThere = files.lookUp(path, group);
    k.nowUs += isThere ? STAT_US : STAT_ABSENT_US;
    if (isThere) found++;
  }
  return name === 'stats' ? found : count;
}
