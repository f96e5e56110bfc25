import { afterDirtyPause } from '../kernel/balance-dirty.ts';
import { filemapRead, forcePageCacheReadahead, genericPerformWrite, type Written } from '../kernel/filemap.ts';
import { flushersTurn } from '../kernel/flusher.ts';
import { fadviseDontneed } from '../kernel/invalidate.ts';
import type { Task } from '../kernel/kernel.ts';
import type { AddressSpace } from '../kernel/mm-types.ts';
import { newReadahead } from '../kernel/readahead.ts';
import { CALL_US, WRITE_SHMEM_US } from '../kernel/recorded-prices.ts';
import { putObject } from '../kernel/shmem.ts';
import { openFile } from '../kernel/slab.ts';
import { handleOverHigh, isOverHigh } from '../kernel/throttle.ts';
import { writePages } from '../kernel/writeback.ts';
import { type Call, has, type Immediate, pagesOf, type Result } from './command-words.ts';
import { passOpen, roomForFiles } from './descriptors.ts';
import type { MachineRun } from './machine-run.ts';
import { sizeOf } from './parse.ts';
import type { Pause } from './pause.ts';
import { useBuffer } from './worker-image.ts';

const BYTES_A_BREATH = 64 * 2 ** 20;

/** read and write in calls of 64 KiB. */
export function* fileRw(run: MachineRun, task: Task, name: 'read' | 'write', words: readonly string[]): Call {
  const { k } = run;
  k.current = task;
  if (roomForFiles(task, 1) === 0) return 'EMFILE';
  const close = openFile(k, task);
  const result = yield* fileCalls(run, task, name === 'write', words);
  close();
  return result;
}

function* fileCalls(run: MachineRun, task: Task, writing: boolean, words: readonly string[]): Call {
  const { k } = run;
  const object = writing ? run.files.create(words[0]!, task.group.id) : run.files.open(words[0]!, task.group.id);
  if (typeof object === 'string') return object;
  const offset = sizeOf(words[1]!)!;
  const length = sizeOf(words[2]!)!;
  const ra = newReadahead();
  // Of a disk's file genericPerformWrite takes the time page by page.
  const copyUs = !writing ? k.profile.prices.readCopyUs : object.kind === 'shmem' ? WRITE_SHMEM_US : 0;
  object.users++;
  let done = 0;
  let error: string | undefined;
  while (done < length) {
    k.current = task;
    const bytes = Math.min(65536, length - done);
    const got = writing
      ? yield* writeCall(run, task, object, offset + done, bytes)
      : readCall(run, task, object, ra, offset + done, bytes);
    k.nowUs += CALL_US / 4 + pagesOf(bytes) * copyUs;
    flushersTurn(k);
    if (k.nowUs >= k.queueTurnUs) k.hooks.queueTurn(task.group);
    const sleepUs = isOverHigh(task) ? handleOverHigh(k, task) : 0;
    if (sleepUs > 0) yield { untilUs: k.nowUs + sleepUs, for: 'memory' };
    else if (k.nowUs >= k.othersTurnUs) yield { untilUs: k.nowUs, for: 'turn' };
    else if (done % BYTES_A_BREATH === 0) yield 'breath';
    if (!task.alive) return 0;
    if (task.fatalSignal) break;
    if (typeof got === 'string') {
      error = got;
      break;
    }
    done += got;
    if (got === 0) break;
  }
  if (has(words, 'sync')) fsync(run, object);
  putObject(k, object);
  return error ?? done;
}

/** Who made too much dirty waits in balance_dirty_pages, perhaps more than once. */
export function* pausesForDisk(run: MachineRun, task: Task): Generator<Pause, void> {
  for (let pause = task.dirtyPause; pause; pause = task.dirtyPause) {
    yield { untilUs: pause.untilUs, for: 'disk' };
    if (!task.alive) return;
    run.k.current = task;
    afterDirtyPause(run.k, task, pause);
  }
}

function* writeCall(run: MachineRun, task: Task, object: AddressSpace, at: number, bytes: number): Call {
  const { k } = run;
  useBuffer(k, task, bytes, false);
  const first = Math.floor(at / 4096);
  const pages = pagesOf(at + bytes) - first;
  let written = 0;
  let error: Written['error'];
  for (;;) {
    const more = genericPerformWrite(k, task, object, first + written, pages - written);
    written += more.pages;
    error = more.error;
    if (!task.dirtyPause) break;
    yield* pausesForDisk(run, task);
    if (!task.alive || task.fatalSignal) break;
  }
  const end = Math.min(at + bytes, (first + written) * 4096);
  object.sizeBytes = Math.max(object.sizeBytes, Math.min(end, at + bytes));
  if (written === 0 && error) return error;
  return Math.min(end, at + bytes) - at;
}

function readCall(
  run: MachineRun,
  task: Task,
  object: AddressSpace,
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

function fsync(run: MachineRun, object: AddressSpace): void {
  writePages(run.k, object);
  if (object.kind === 'disk') run.files.commit();
}

/** Calls on a file that answer at once. */
export const FILE_CALLS: Readonly<Record<string, Immediate>> = {
  unlink: (run, { task }, words) => run.files.unlink(words[0]!, task.group.id) ?? 0,
  mkdir: (run, { task }, words) => run.files.makeDirectory(words[0]!, task.group.id) ?? 0,
  truncate: (run, { task }, words) => {
    if (!passOpen(run.k, task)) return 'EMFILE';
    const object = run.files.create(words[0]!, task.group.id);
    if (typeof object === 'string') return object;
    run.files.truncate(task, object, sizeOf(words[1]!)!);
    return 0;
  },
  fsync: (run, { task }, words) => {
    if (!passOpen(run.k, task)) return 'EMFILE';
    const object = run.files.open(words[0]!, task.group.id);
    if (typeof object === 'string') return object;
    fsync(run, object);
    return 0;
  },
  fadvise: (run, { task }, words) => {
    if (!passOpen(run.k, task)) return 'EMFILE';
    const object = run.files.open(words[0]!, task.group.id);
    if (typeof object === 'string') return object === 'EISDIR' ? 0 : object;
    const start = sizeOf(words[1]!)!;
    const end = start + sizeOf(words[2]!)!;
    if (has(words, 'dontneed')) fadviseDontneed(run.k, object, Math.ceil(start / 4096), Math.floor(end / 4096));
    const first = Math.floor(start / 4096);
    if (has(words, 'willneed')) forcePageCacheReadahead(run.k, task.group, object, first, pagesOf(end) - first);
    return 0;
  },
};
