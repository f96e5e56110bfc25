import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  lstatSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { UserError } from '../../sim/contract/assert.ts';
import { CONTROLS, shownByNumber } from '../../sim/contract/escape.ts';
import { takeOpened } from './fifo-reader.ts';
import { isMountPoint, outputTarget } from './output-target.ts';
import { isSystemError, systemError } from './system-error.ts';
import { addUnfinished, isFinished, nameWhenAllAreDone, removeFile, removeUnfinishedFile } from './unfinished.ts';

/**
 * The one way that files are written:
 *
 *     regular file   .allocsim-<random>.tmp beside it ── close ──▶ its name (or NAME.partial)
 *                                                     ── error, discard, exit ──▶ gone
 *     pipe, device, standard output (-)                in place
 *
 * Every method throws a UserError for what the system refuses, and then nothing is left of the file.
 */
export interface OutputFile {
  write(part: string | Uint8Array): void;
  /** Gives the file its name; `partial` gives it the name with `.partial` behind. */
  close(partial?: boolean): void;
  /** Leaves nothing behind. May follow any error. */
  discard(): void;
}

function refusal(path: string, error: unknown, expected = 'a file that can be written'): unknown {
  if (!isSystemError(error)) return error;
  // What is not there yet is made: it can only be its folder.
  const found = error.code === 'ENOENT' ? 'no such folder' : systemError(error);
  return new UserError(`${path}: found ${found}, expected ${expected}`);
}

/** Data on a terminal are for reading: what would move its cursor is shown by number. */
function onTerminal(part: string | Uint8Array): string {
  const text = typeof part === 'string' ? part : Buffer.from(part).toString();
  return text.replace(CONTROLS, (c) => (c === '\n' || c === '\t' ? c : shownByNumber(c)));
}

/** Opens `path`, or standard output for '-'. Fails at once where it cannot be written. */
export function openOutput(path: string): OutputFile {
  if (path === '-') {
    const shown = isatty(1) ? onTerminal : (part: string | Uint8Array) => part;
    return { write: (part) => writeAll(1, shown(part), 'standard output'), close() {}, discard() {} };
  }
  try {
    const { path: target, inPlace, mode, descriptor } = outputTarget(path);
    if (descriptor !== undefined) {
      return { write: (part) => writeAll(descriptor, part, path), close() {}, discard() {} };
    }
    return inPlace ? openInPlace(path, target) : openTemporary(path, target, mode);
  } catch (error) {
    throw refusal(path, error);
  }
}

/** Refuses what `openOutput` would, as far as that can be known before: nothing should be computed for a file that nobody can write. */
export function checkWritable(path: string): void {
  if (path === '-') return;
  try {
    const { path: target, inPlace, mode, descriptor } = outputTarget(path);
    if (descriptor !== undefined) return;
    if (!inPlace) accessSync(dirname(target), constants.W_OK | constants.X_OK);
    if (inPlace || mode !== undefined) accessSync(target, constants.W_OK);
    if (!inPlace && mode !== undefined && isMountPoint(target))
      throw Object.assign(new Error('EBUSY'), { code: 'EBUSY', syscall: 'rename' });
  } catch (error) {
    throw refusal(path, error);
  }
}

/** The same for a folder, which is made with those above it where it is not there. */
export function checkWritableFolder(path: string): void {
  let at = resolve(path);
  try {
    for (; !existsSync(at); at = dirname(at));
    if (!statSync(at).isDirectory()) throw Object.assign(new Error('ENOTDIR'), { code: 'ENOTDIR', syscall: 'mkdir' });
    accessSync(at, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw refusal(path, error, 'a folder that can be written');
  }
}

function openInPlace(path: string, target: string): OutputFile {
  let descriptor = takeOpened(target) ?? openSync(target, constants.O_WRONLY);
  const close = () => {
    if (descriptor >= 0) closeSync(descriptor);
    descriptor = -1;
  };
  return { write: (part) => writeAll(descriptor, part, path), close, discard: close };
}

function openTemporary(path: string, target: string, mode: number | undefined): OutputFile {
  if (mode !== undefined) accessSync(target, constants.W_OK); // a rename would replace a file that may not be written
  const temporary = join(dirname(target), `.allocsim-${randomBytes(12).toString('hex')}.tmp`);
  let descriptor = openSync(temporary, 'wx');
  addUnfinished(temporary);
  if (mode !== undefined) fchmodSync(descriptor, mode);

  function closeDescriptor(): void {
    const open = descriptor;
    descriptor = -1;
    if (open >= 0) guarded(() => closeSync(open));
  }

  function discard(): void {
    closeDescriptor();
    removeUnfinishedFile(temporary);
  }

  function give(name: string): (() => void) | undefined {
    const isNew = !existsSync(name);
    guarded(() => renameSync(temporary, name));
    isFinished(temporary);
    return isNew ? () => removeFile(name) : undefined;
  }

  function guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      removeUnfinishedFile(temporary);
      throw refusal(path, error);
    }
  }

  return {
    write(part) {
      try {
        writeAll(descriptor, part, path);
      } catch (error) {
        discard();
        throw error;
      }
    },
    close(partial = false) {
      const name = partial ? `${target}.partial` : target;
      if (partial && isOther(name)) {
        discard();
        throw new UserError(`${path}.partial: found what is no regular file, expected none or one`);
      }
      closeDescriptor();
      nameWhenAllAreDone(() => give(name));
    },
    discard,
  };
}

/** Whether something of the name is there, and no regular file. */
function isOther(name: string): boolean {
  try {
    return lstatSync(name, { throwIfNoEntry: false })?.isFile() === false;
  } catch {
    return false; // what is wrong with the name, the rename says
  }
}

/** How long a pipe that is full is left alone. */
const FULL_PIPE_MS = 2;
const nothing = new Int32Array(new SharedArrayBuffer(4));

/** writeSync may write less than all, and a pipe that does not block says EAGAIN while it is full. */
function writeAll(descriptor: number, part: string | Uint8Array, path: string): void {
  const bytes = typeof part === 'string' ? Buffer.from(part) : part;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(nothing, 0, 0, FULL_PIPE_MS);
      else if (code === 'EPIPE' && descriptor === 1)
        throw error; // the reader has seen enough: no error
      else throw refusal(path, error);
    }
  }
}
