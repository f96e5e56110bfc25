import type { Advice } from '../kernel/advice.ts';
import { genericPerformWrite, filemapRead } from '../kernel/filemap.ts';
import { mmPopulate } from '../kernel/gup.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { doMadvise } from '../kernel/madvise.ts';
import { doMlock, doMunlock } from '../kernel/mlock.ts';
import { VM_LOCKED, VM_NORESERVE, VM_READ, VM_SHARED, VM_WRITE, newReadahead } from '../kernel/mm-types.ts';
import { doBrk, doMunmap, mmapRegion } from '../kernel/mmap.ts';
import { doMprotect } from '../kernel/mprotect.ts';
import { doMremap } from '../kernel/mremap.ts';
import { forkTask } from '../kernel/process.ts';
import { newObject, nextInode, putObject } from '../kernel/shmem.ts';
import { handleOverHigh } from '../kernel/throttle.ts';
import { PAUSED, type TouchMode, touchRange } from '../kernel/touch.ts';
import { writePages } from '../kernel/writeback.ts';
import { fadviseDontneed } from './files.ts';
import type { Answer, MachineRun, ScriptProcess } from './machine-run.ts';
import { objectsCommand } from './object-commands.ts';
import { type Command, sizeOf } from './parse.ts';
import { passTime } from './time.ts';
import {
  beginCommand,
  failCommand,
  finish,
  noteHeapStart,
  receive,
  returnFromFork,
  useBuffer,
} from './worker-image.ts';

/** Microseconds of the recorded machine: a call, a fault, a page copied by a read or write. */
const CALL_US = 12;
const FAULT_US = 6.76;
const READ_COPY_US = 3.1;
const WRITE_COPY_US = 17.6;
/** The coordinator of a script waits so long for an answer. */
const PATIENCE_US = 120_000_000;

/** What a call answers: a number, or the name of its error. */
type Result = number | string;
/** A call that may sleep: yields until when. */
type Call = Generator<number, Result>;

const has = (words: readonly string[], word: string) => words.includes(word);
const option = (words: readonly string[], key: string): number | undefined => {
  const found = words.find((word) => word.startsWith(`${key}=`));
  return found === undefined ? undefined : sizeOf(found.slice(key.length + 1));
};
const pagesOf = (bytes: number) => Math.ceil(bytes / 4096);

/** A command of a process: `p1 touch A 0 4M`, at once or in the background. */
export function runProcessCommand(run: MachineRun, command: Command): void {
  const { k } = run;
  const process = run.process(command.process!);
  if (!process) {
    run.emitStep(command.text, 'unknown', undefined);
    return;
  }
  if (!process.alive) {
    run.emitStep(command.text, 'dead', undefined);
    return;
  }
  if (process.busy) {
    run.emitStep(command.text, 'busy', undefined);
    return;
  }
  const [name, ...words] = command.words as [string, ...string[]];
  if (name === 'into' || name === 'oom_score_adj' || name === 'clear_refs') {
    outside(run, process, command, name, words[0]!);
    return;
  }
  const steps = perform(run, process, name, words);
  const busy = {
    text: command.background ? command.text.slice(6) : command.text,
    steps,
    wakeUs: k.nowUs,
    stalledSinceUs: undefined as number | undefined,
    startedUs: k.nowUs,
    answer: undefined as Answer | undefined,
  };
  process.busy = busy;
  if (command.background) {
    run.emitStep(command.text, 'started', undefined);
    return;
  }
  passUntilAnswered(run, process, k.nowUs + PATIENCE_US);
  if (!process.alive) {
    run.settleDying(true);
    run.emitStep(command.text, name === 'exit' ? undefined : 'died', undefined);
    return;
  }
  if (!busy.answer) {
    run.emitStep(command.text, 'still-running', undefined);
    return;
  }
  process.busy = undefined;
  run.emitStep(command.text, undefined, busy.answer);
}

/** Lets time pass until the process has answered, died, or `untilUs`. */
export function passUntilAnswered(run: MachineRun, process: ScriptProcess, untilUs: number): void {
  const { k } = run;
  while (process.alive && process.busy && !process.busy.answer && k.nowUs <= untilUs) {
    if (process.busy.wakeUs > untilUs) {
      passTime(run, untilUs);
      return;
    }
    passTime(run, Math.max(k.nowUs, process.busy.wakeUs));
  }
}

/** Commands that the coordinator carries out on a process from outside. */
function outside(run: MachineRun, { task }: ScriptProcess, command: Command, name: string, value: string): void {
  let error: string | undefined;
  if (name === 'into') {
    const group = value === '/' ? run.k.root : run.groups.get(value);
    if (group) task.group = group;
    else error = 'ENOENT';
  } else if (name === 'oom_score_adj') {
    const adj = Number(value);
    if (adj < -1000 || adj > 1000) error = 'EINVAL';
    else task.oomScoreAdj = adj;
  } else clearRefs(run.k, task);
  run.emitStep(command.text, undefined, error ? { ret: -1, err: error } : { ret: 0, us: CALL_US });
}

/** clear_refs 1: nothing was used any more. */
function clearRefs(k: Kernel, task: Task): void {
  for (const pmd of task.mm.pmds.values()) {
    if (pmd.huge !== 0) pmd.huge &= ~8;
    else if (pmd.first !== 0) pmd.first &= ~8;
    else if (pmd.entries) for (let i = 0; i < 512; i++) pmd.entries[i]! &= ~8;
    for (let i = 0; i < 512 && pmd.huge === 0; i++) {
      const pte = pmd.get(i);
      if (pte & 1 && !(pte & 16)) k.frames.flags[pte >>> 6]! &= ~8;
    }
  }
}

/** The process's part: takes the command, carries it out, and answers with what it cost. */
function* perform(
  run: MachineRun,
  process: ScriptProcess,
  name: string,
  words: readonly string[],
): Generator<number, Answer> {
  const { k } = run;
  const { task } = process;
  const before = receive(k, task);
  const startUs = k.nowUs;
  k.nowUs += CALL_US;
  beginCommand(k, task, name, words);
  const calls: Call =
    name === 'touch'
      ? touch(run, process, words)
      : name === 'read' || name === 'write'
        ? fileRw(run, task, name, words)
        : immediate(run, process, name, words);
  let result: Result;
  for (;;) {
    const step = calls.next();
    if (step.done) {
      result = step.value;
      break;
    }
    process.busy!.stalledSinceUs = k.nowUs;
    yield step.value;
    k.current = task;
  }
  k.current = null;
  if (task.fatalSignal) run.die(task, 'signal', 9);
  if (!task.alive) return { ret: 0, minflt: 0, majflt: 0, us: 0 };
  const failed = typeof result === 'string';
  if (failed) failCommand(k, task);
  const answer = {
    ret: typeof result === 'string' ? -(ERRNO[result] ?? 22) : result,
    ...(failed ? { err: result as string } : {}),
    minflt: task.minflt - before.minflt,
    majflt: task.majflt - before.majflt,
    us: k.nowUs - startUs,
  };
  finish(k, task);
  return answer;
}

const ERRNO: Readonly<Record<string, number>> = {
  ENOENT: 2,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
};

// biome-ignore lint/correctness/useYield: one shape with the calls that sleep
function* immediate(run: MachineRun, process: ScriptProcess, name: string, words: readonly string[]): Call {
  run.k.current = process.task;
  const own = IMMEDIATE[name];
  return own ? own(run, process, words) : objectsCommand(run, process.task, name, words);
}

function* touch(run: MachineRun, process: ScriptProcess, words: readonly string[]): Call {
  const { k } = run;
  const { task } = process;
  const start = run.addressOf(words[0]!, task) + sizeOf(words[1]!)!;
  const cursor = { at: start, end: start + sizeOf(words[2]!)! };
  const mode: TouchMode = has(words, 'read') ? 'read' : has(words, 'rmw') ? 'rmw' : 'write';
  let sleepUs = 0;
  for (;;) {
    k.current = task;
    const outcome = touchRange(k, task, cursor, option(words, 'stride') ?? 4096, mode, () => {
      k.nowUs += FAULT_US;
      if (task.memcgOverHigh > 0) sleepUs = handleOverHigh(k, task);
      return sleepUs > 0;
    });
    if (outcome === 0) return 0;
    if (outcome !== PAUSED) {
      run.die(task, 'signal', outcome);
      return 0;
    }
    yield k.nowUs + sleepUs;
    sleepUs = 0;
    if (!task.alive) return 0;
  }
}

/** read and write in calls of 64 KiB. */
function* fileRw(run: MachineRun, task: Task, name: 'read' | 'write', words: readonly string[]): Call {
  const { k } = run;
  k.current = task;
  const writing = name === 'write';
  const object = writing ? run.files.create(words[0]!, task.group.id) : run.files.open(words[0]!);
  if (!object) return 'ENOENT';
  const offset = sizeOf(words[1]!)!;
  const length = sizeOf(words[2]!)!;
  const ra = newReadahead();
  object.users++;
  let done = 0;
  let error: string | undefined;
  while (done < length) {
    k.current = task;
    const bytes = Math.min(65536, length - done);
    const got = writing
      ? writeCall(run, task, object, offset + done, bytes)
      : readCall(run, task, object, ra, offset + done, bytes);
    k.nowUs += CALL_US / 4 + pagesOf(bytes) * (writing ? WRITE_COPY_US : READ_COPY_US);
    const sleepUs = task.memcgOverHigh > 0 ? handleOverHigh(k, task) : 0;
    if (sleepUs > 0) yield k.nowUs + sleepUs;
    if (!task.alive) return 0;
    if (task.fatalSignal) break;
    if (typeof got === 'string') {
      error = got;
      break;
    }
    done += got;
    if (got === 0) break;
  }
  if (has(words, 'sync')) writePages(k, object);
  putObject(k, object);
  return error ?? done;
}

type FileObject = NonNullable<ReturnType<MachineRun['files']['open']>>;

function writeCall(run: MachineRun, task: Task, object: FileObject, at: number, bytes: number): Result {
  const { k } = run;
  useBuffer(k, task, bytes, false);
  const first = Math.floor(at / 4096);
  const pages = pagesOf(at + bytes) - first;
  const written = genericPerformWrite(k, task, object, first, pages);
  const end = Math.min(at + bytes, (first + written) * 4096);
  object.sizeBytes = Math.max(object.sizeBytes, Math.min(end, at + bytes));
  if (written === 0 && pages > 0) return object.kind === 'shmem' ? 'ENOSPC' : 'ENOMEM';
  return Math.min(end, at + bytes) - at;
}

function readCall(
  run: MachineRun,
  task: Task,
  object: FileObject,
  ra: ReturnType<typeof newReadahead>,
  at: number,
  bytes: number,
): Result {
  const { k } = run;
  const there = Math.max(0, Math.min(bytes, object.sizeBytes - at));
  if (there === 0) return 0;
  const first = Math.floor(at / 4096);
  if (!filemapRead(k, task, object, ra, first, pagesOf(at + there) - first)) return 'ENOMEM';
  useBuffer(k, task, there, true);
  return there;
}

type Immediate = (run: MachineRun, process: ScriptProcess, words: readonly string[]) => Result;

/** Region, first page and number of pages of `A OFF LEN`. */
function range(run: MachineRun, task: Task, words: readonly string[]): { start: number; pages: number } {
  const start = run.addressOf(words[0]!, task) + sizeOf(words[1]!)!;
  return { start: Math.floor(start / 4096), pages: pagesOf(sizeOf(words[2]!)!) };
}

function map(
  run: MachineRun,
  task: Task,
  words: readonly string[],
  lengthAt: number,
  object: FileObject | null,
): Result {
  const { k } = run;
  const start = Math.floor((run.addressOf(words[0]!, task) + (option(words, 'shift') ?? 0)) / 4096);
  const pages = pagesOf(sizeOf(words[lengthAt]!)!);
  let flags = has(words, 'ro') ? VM_READ : has(words, 'none') ? 0 : VM_READ | VM_WRITE;
  if (has(words, 'shared')) flags |= VM_SHARED;
  if (has(words, 'noreserve')) flags |= VM_NORESERVE;
  if (has(words, 'lock')) flags |= VM_LOCKED;
  const pgoff = Math.floor((option(words, 'fileoff') ?? 0) / 4096);
  const error = mmapRegion(k, task, { start, pages, flags, object, pgoff });
  if (error) return error;
  if (has(words, 'populate') || has(words, 'lock')) mmPopulate(k, task, start, start + pages);
  return 0;
}

const IMMEDIATE: Readonly<Record<string, Immediate>> = {
  mmap: (run, { task }, words) => map(run, task, words, 1, null),
  filemap: (run, { task }, words) => {
    const object = has(words, 'ro') ? run.files.open(words[1]!) : run.files.create(words[1]!, task.group.id);
    return object ? map(run, task, words, 2, object) : 'ENOENT';
  },
  memfd: (run, { task }, words) => {
    const object = newObject(
      run.k,
      'shmem',
      `/memfd:#${run.slotOf(words[0]!)} (deleted)`,
      pagesOf(sizeOf(words[1]!)!) * 4096,
      true,
    );
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
    return doMlock(run.k, task, start, pages) ?? 0;
  },
  munlock: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    return doMunlock(run.k, task, start, pages) ?? 0;
  },
  msync: (run, { task }, words) => {
    const { start, pages } = range(run, task, words);
    for (const vma of task.mm.vmas) {
      if (vma.end > start && vma.start < start + pages && vma.object && vma.flags & VM_SHARED)
        writePages(run.k, vma.object);
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
    return doMadvise(run.k, task, start, pages, words[3] as Advice) ?? 0;
  },
  fork: (run, { task }, words) => {
    const child = forkTask(run.k, task, words[0]!);
    if (!child) return 'ENOMEM';
    const existing = run.process(words[0]!);
    if (existing) Object.assign(existing, { task: child, alive: true, busy: undefined });
    else run.processes.push({ name: words[0]!, task: child, alive: true, busy: undefined });
    returnFromFork(run.k, task, child);
    return 0;
  },
  exit: (run, { task }, words) => {
    run.die(task, 'exit', Number(words[0] ?? 0));
    return 0;
  },
  unlink: (run, _process, words) => (run.files.unlink(words[0]!) ? 0 : 'ENOENT'),
  mkdir: (run, _process, words) => {
    run.files.directories.add(words[0]!);
    const mount = run.files.mountOf(words[0]!);
    if (mount) nextInode(run.k, mount.device);
    return 0;
  },
  truncate: (run, { task }, words) => {
    const object = run.files.create(words[0]!, task.group.id);
    if (!object) return 'ENOENT';
    run.files.truncate(task, object, sizeOf(words[1]!)!);
    return 0;
  },
  fsync: (run, _process, words) => {
    const object = run.files.open(words[0]!);
    if (!object) return 'ENOENT';
    writePages(run.k, object);
    return 0;
  },
  fadvise: (run, _process, words) => {
    const object = run.files.open(words[0]!);
    if (!object) return 'ENOENT';
    const first = Math.ceil(sizeOf(words[1]!)! / 4096);
    const end = sizeOf(words[1]!)! + sizeOf(words[2]!)!;
    if (has(words, 'dontneed')) fadviseDontneed(run.k, object, first, Math.floor(end / 4096));
    return 0;
  },
};
