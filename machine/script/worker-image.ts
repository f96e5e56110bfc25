import { PG_DIRTY } from '../kernel/frames.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { lruGenAddMm } from '../kernel/lru-gen-mm-list.ts';
import type { AddressSpace } from '../kernel/mm-types.ts';
import { mmapRegion } from '../kernel/mmap.ts';
import { doMprotect } from '../kernel/mprotect.ts';
import { allocPage } from '../kernel/page-alloc.ts';
import { filemapAddFolio } from '../kernel/page-cache.ts';
import { newTask } from '../kernel/process.ts';
import { THREAD_START_US } from '../kernel/recorded-prices.ts';
import { newObject } from '../kernel/shmem.ts';
import { processMemory, slabAccountTask, threadMemory } from '../kernel/slab.ts';
import { touchPage } from '../kernel/touch.ts';
import { VM_EXEC, VM_HEAP, VM_PFNMAP, VM_READ, VM_STACK, VM_WRITE } from '../kernel/vm-flags.ts';

/**
 * The program that a script's processes run: a small static binary of 0.8 MB. Which of its pages a command touches decides the few
 * faults beside those of the command itself, and how much of a process is the binary's. Recorded page by page from the real one.
 */

const STACK_TOP = 0x7ffffffff;
/** The first byte above the stack. */
export const STACK_TOP_BYTES = STACK_TOP * 4096;

const VVAR = 0x7ffff7ff9;
const VDSO = 0x7ffff7ffd;

const SEGMENTS: readonly {
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly file: boolean;
  readonly name: string;
}[] = [
  { start: 0x400, end: 0x401, flags: VM_READ, file: true, name: '/init' },
  { start: 0x401, end: 0x4a7, flags: VM_READ | VM_EXEC, file: true, name: '/init' },
  { start: 0x4a7, end: 0x4d4, flags: VM_READ, file: true, name: '/init' },
  { start: 0x4d4, end: 0x4d8, flags: VM_READ | VM_WRITE, file: true, name: '/init' },
  { start: 0x4d8, end: 0x4db, flags: VM_READ | VM_WRITE, file: true, name: '/init' },
  { start: 0x4db, end: 0x515, flags: VM_READ | VM_WRITE | VM_HEAP, file: false, name: '' },
  { start: 0x515, end: 0x537, flags: VM_READ | VM_WRITE | VM_HEAP, file: false, name: '[brk]' },
];

/** What running up to the first command touches: pages in hexadecimal, r, w or x; S1 and S0 are the two pages of the stack, V the clock's. */
const START =
  '400r 403x 411x 42cx 431x 443x 457x 460x 484x 491x 4a5x 4a7r 4c5r 4d4r 4d6w 4d7w 4d8w 4d9w 4daw 50ew 50fw 513w 514w 515w 516w S0w S1w Cx';
const RECEIVE = 'S1w S0w 515w 456x 405x 435x 401x 4d8r 486x 4a7r 4b0r 447x 513w 457x';
const BEGIN = '457x S1w 455x 4d7r Vr Cx';
const END = '457x 401x 4d8r 443x 4a7r 456x 4d9r S1w';
/** Reads and writes of a process that has, or had, threads can be cancelled (__pthread_enable_asynccancel). */
const CANCELLABLE = '483x';
/** The first thread that a process makes, where those before it have made none; and what each begins with. */
const FIRST_THREAD = '46ex 50fw';
const THREAD_START = '46ex';
const REGION = '50er 411x 515r 4d9r 4b4r 401x 4d8r 443x 4a7r 404x 4d5r 447x 4b3r 4a9r 4a8r';
const NUMBER = '401x 4d8r 443x 4a7r 406x 411x 515r 4d9r 4b4r 4d7r';
const NAMES = `${NUMBER} 4c1r 424x 50fr 442x 514r 4adr 4d4r 447x 477x 456x`;
const FILE = '401x 406x 403x 404x 515r 4d9r 4d5r 447x 4b0r 4b4r 4b3r 411x 4a9r 456x';

const COMMANDS: Readonly<Record<string, string>> = {
  mmap: `${REGION} 4c3r 44dx`,
  filemap: `${REGION} 456x 4c3r 44dx`,
  memfd: `${REGION} 4c3r 44dx`,
  touch: `${REGION} 44dx`,
  munmap: REGION,
  mlock: REGION,
  munlock: REGION,
  msync: `${REGION} 406x`,
  mprotect: REGION,
  mremap: `${REGION} 458x`,
  madvise: `${REGION} 4d4r`,
  brk: `401x 443x 50er 406x 457x 513w 404x 411x 515r 4d9r 4d5r 4b0r 4a9r`,
  read: FILE,
  write: FILE,
  fadvise: FILE,
  truncate: FILE,
  fsync: '401x 406x 456x',
  unlink: '401x 406x 457x',
  mkdir: '401x 406x 456x',
  rlimit: NUMBER,
  fork: '401x 406x 457x',
  fds: NUMBER,
  pipes: NUMBER,
  sockets: `${NUMBER} 44ex 459x`,
  udp: `${NUMBER} 459x`,
  threads: `${NUMBER} 4c1r 42ax 447x 457x 433x 45ex 483x 488x 4aer 4d4r 513w 4d8w 4d9w 515w 516w 40dx`,
  files: NAMES,
  stats: NAMES,
  dentries: NAMES,
};

const PIPE_BYTES = 4096;

/** The buffer of reads and writes of files, 64 KiB and not aligned: its pages. */
const BUFFER = { first: 0x4da, pages: 17 } as const;

function pageOf(word: string): number {
  if (word === 'S0') return STACK_TOP - 1;
  if (word === 'S1') return STACK_TOP - 2;
  if (word === 'V') return VVAR;
  return word === 'C' ? VDSO : Number.parseInt(word, 16);
}

const parsed = new Map<string, readonly { page: number; write: boolean }[]>();

function accessesOf(text: string): readonly { page: number; write: boolean }[] {
  let own = parsed.get(text);
  if (!own) {
    own = text.split(' ').map((word) => ({ page: pageOf(word.slice(0, -1)), write: word.endsWith('w') }));
    parsed.set(text, own);
  }
  return own;
}

function access(k: Kernel, task: Task, text: string): void {
  for (const { page, write } of accessesOf(text)) touchPage(k, task, page, write);
}

/** The files of the image: the binary, and the kernel's page of code that every process maps. */
export interface Image {
  readonly file: AddressSpace;
  readonly vdso: AddressSpace;
  /** The process that starts the others, and maps all of the binary. */
  readonly init: Task;
}

/** Puts the image's file in the page cache, with the rest of what the first file system holds, and starts process 1. */
export function bootImage(k: Kernel, ramfsPages: number): Image {
  const file = newObject(k, 'ramfs', '/init', ramfsPages * 4096, false);
  const vdso = newObject(k, 'special', '[vdso]', 2 * 4096, false);
  for (let index = 0; index < ramfsPages; index++) addRamfsPage(k, file, index);
  // The kernel's own pages are on no list and in no count of the cache.
  for (let index = 0; index < 2; index++) {
    const frame = allocPage(k, k.root);
    k.frames.owner[frame] = vdso.id;
    k.frames.index[frame] = index;
    vdso.set(index, frame);
  }
  const init = { ...newTask(k, 'init', null), pid: 1 };
  init.oomScoreAdj = -1000;
  lruGenAddMm(k, init.mm);
  mapImage(k, init, { file, vdso });
  access(k, init, START);
  for (let page = 0x401; page < 0x4d8; page++) touchPage(k, init, page, false);
  // Its buffers, touched once.
  const pages = k.profile.start.anonKb / 4;
  mmapRegion(k, init, { start: VVAR - pages, pages, flags: VM_READ | VM_WRITE, object: null, pgoff: 0 });
  for (let page = VVAR - pages; page < VVAR; page++) touchPage(k, init, page, true);
  return { file, vdso, init };
}

function addRamfsPage(k: Kernel, file: AddressSpace, index: number): void {
  const frame = allocPage(k, k.root);
  k.frames.flags[frame]! |= PG_DIRTY;
  filemapAddFolio(k, file, index, frame);
}

function mapImage(k: Kernel, task: Task, { file, vdso }: { file: AddressSpace; vdso: AddressSpace }): void {
  for (const { start, end, flags, file: ofFile, name } of SEGMENTS) {
    mmapRegion(k, task, { start, pages: end - start, flags, object: ofFile ? file : null, pgoff: start - 0x400, name });
  }
  const rest = [
    { start: VVAR, pages: 4, flags: VM_READ | VM_PFNMAP, object: null, name: '[vvar]' },
    { start: VDSO, pages: 2, flags: VM_READ | VM_EXEC, object: vdso, name: '[vdso]' },
    { start: STACK_TOP - 33, pages: 33, flags: VM_READ | VM_WRITE | VM_STACK, object: null, name: '[stack]' },
  ];
  for (const region of rest) mmapRegion(k, task, { ...region, pgoff: 0 });
  task.mm.startBrk = 0x515 * 4096;
  task.mm.brk = 0x537 * 4096;
}

/** A fresh process: exec of the binary, up to the first command. */
export function startWorker(k: Kernel, image: Image, name: string): Task {
  const task = newTask(k, name, null);
  task.pid = k.pids.alloc()!;
  threadMemory(k, task, 1);
  processMemory(k, task);
  k.tasks.push(task);
  lruGenAddMm(k, task.mm);
  k.current = task;
  mapImage(k, task, image);
  access(k, task, START);
  doMprotect(k, task, 0x4d4, 4, VM_READ);
  firstAnswer(k, task);
  task.minflt = 29;
  return task;
}

/** The first answer: the page of its pipe is charged to the group it is written in, and stays with the pipe (tmp_page). */
function firstAnswer(k: Kernel, task: Task): void {
  slabAccountTask(k, task, PIPE_BYTES, 'pages');
}

/** The process takes a command; faults from here to `finish` are those of its answer. */
export function receive(k: Kernel, task: Task): { minflt: number; majflt: number } {
  access(k, task, RECEIVE);
  if (task.wasThreaded) access(k, task, CANCELLABLE);
  const before = { minflt: task.minflt, majflt: task.majflt };
  access(k, task, BEGIN);
  return before;
}

export function beginCommand(k: Kernel, task: Task, command: string, words: readonly string[]): void {
  access(k, task, COMMANDS[command] ?? REGION);
  if (command === 'touch' && words.includes('read')) access(k, task, '50ew');
  if (command === 'threads' && !task.wasThreaded) access(k, task, FIRST_THREAD);
  if (command === 'mprotect' && !words.includes('none')) access(k, task, '4c5r');
}

/** The first brk of a family of processes notes where its heap begins. */
export function noteHeapStart(k: Kernel, task: Task): void {
  access(k, task, '50ew');
}

/** A thread that has the processor for the first time: what it calls lies on the page of its stack that pthread_create has written to. */
export function startThread(k: Kernel, task: Task, topPage: number): void {
  const { current } = k;
  k.current = task;
  access(k, task, THREAD_START);
  touchPage(k, task, topPage, true);
  k.nowUs += THREAD_START_US;
  k.current = current;
}

/** After the answer's second look at the counters. */
export function finish(k: Kernel, task: Task): void {
  access(k, task, END);
}

/** A call that failed leaves its reason in the thread's memory. */
export function failCommand(k: Kernel, task: Task): void {
  access(k, task, '515w 409x');
}

/** The bytes of a file pass through the buffer: read into it, or written from it. */
export function useBuffer(k: Kernel, task: Task, bytes: number, reading: boolean): void {
  const pages = Math.min(BUFFER.pages, Math.ceil((bytes + 0x340) / 4096));
  for (let i = 0; i < pages; i++) touchPage(k, task, BUFFER.first + i, reading);
}

/**
 * The parent's return from fork. Where a tick came within it, the kernel's thread for RCU has had the processor, and which one the parent has is
 * noted in its thread's memory (rseq) on the way back.
 */
export function returnFromFork(k: Kernel, parent: Task, hadTick: boolean): void {
  if (hadTick) access(k, parent, '515w');
  access(k, parent, '457x S1w');
}

/**
 * What follows the parent's answer. Where that takes the processor from the parent, it goes on before the child, and the kernel notes in
 * its thread's memory (515) on which processor (rseq); otherwise that is at its next command. Who writes a page first pays for the copy.
 */
export function startForked(k: Kernel, parent: Task, child: Task, goesOnFirst: boolean): void {
  if (goesOnFirst) access(k, parent, '515w');
  access(k, child, '457x S1w S0r 515w');
  access(k, child, `401x 406x ${BEGIN} ${END}`);
  if (child.wasThreaded) access(k, child, CANCELLABLE);
  firstAnswer(k, child);
}
