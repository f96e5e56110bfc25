import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { UserError } from '../../sim/contract/assert.ts';
import { CONTROLS, shownByNumber } from '../../sim/contract/escape.ts';
import { takeOpened } from './fifo-reader.ts';
import { outputTarget } from './output-target.ts';
import { isSystemError, systemError } from './system-error.ts';

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

/** What gives files of `together` their names. */
let namings: (() => void)[] | undefined;

/** Files that the work writes get their names when all of it is done, or none of them where it fails. What is written in place is not held back. */
export async function together<T>(work: () => T | Promise<T>): Promise<T> {
  const own: (() => void)[] = [];
  namings = own;
  try {
    const result = await work();
    for (const name of own) name();
    return result;
  } catch (error) {
    removeUnfinished();
    throw error;
  } finally {
    namings = undefined;
  }
}

/** Files without a name yet. A process that ends before they have one takes them along. */
const unfinished = new Set<string>();

function removeUnfinished(): void {
  for (const path of unfinished) {
    try {
      unlinkSync(path);
    } catch {
      // gone already, with its folder
    }
  }
  unfinished.clear();
}

function refusal(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  return new UserError(`${path}: found ${systemError(error)}, expected a file that can be written`);
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
    const { path: target, inPlace, mode } = outputTarget(path);
    return inPlace ? openInPlace(path, target) : openTemporary(path, target, mode);
  } catch (error) {
    throw refusal(path, error);
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
  if (unfinished.size === 0) process.once('exit', removeUnfinished);
  unfinished.add(temporary);
  if (mode !== undefined) fchmodSync(descriptor, mode);

  function end(name: string | undefined): void {
    if (descriptor < 0) return;
    const open = descriptor;
    descriptor = -1;
    guarded(() => closeSync(open));
    const finish = () =>
      guarded(() => {
        if (name === undefined) unlinkSync(temporary);
        else renameSync(temporary, name);
        unfinished.delete(temporary);
        if (unfinished.size === 0) process.off('exit', removeUnfinished);
      });
    if (name !== undefined && namings) namings.push(finish);
    else finish();
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
        end(undefined);
        throw error;
      }
    },
    close(partial = false) {
      const name = partial ? `${target}.partial` : target;
      const there = partial ? lstatSync(name, { throwIfNoEntry: false }) : undefined;
      if (there && !there.isFile()) {
        end(undefined);
        throw new UserError(`${path}.partial: found what is no regular file, expected none or one`);
      }
      end(name);
    },
    discard: () => end(undefined),
  };
}

function removeUnfinishedFile(temporary: string): void {
  try {
    unlinkSync(temporary);
  } catch {
    // gone already
  }
  unfinished.delete(temporary);
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
