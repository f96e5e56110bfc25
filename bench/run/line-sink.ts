import { closeSync, openSync, realpathSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';

/** Receives lines; the file appears under its name only when it is complete. */
export interface LineSink {
  write(line: string): void;
  /** Writes what is left and gives the file its name; `partial` gives it the name with `.partial` behind. */
  close(partial: boolean): void;
  /** Leaves nothing behind. */
  discard(): void;
}

const CHUNK_CHARACTERS = 1 << 16;

/** A file, or standard output for '-'. Fails at once where the file can not be written. */
export function openLineSink(path: string): LineSink {
  const target = targetOf(path);
  const temporary = target && `${target}.${process.pid}.tmp`;
  let descriptor = 1;
  if (path !== '-') {
    try {
      descriptor = openSync(temporary ?? path, 'w');
    } catch (error) {
      throw new UserError(`cannot write ${path}: ${(error as NodeJS.ErrnoException).code ?? error}`);
    }
  }
  let text = '';
  const flush = () => {
    if (text) writeAll(descriptor, text);
    text = '';
  };
  return {
    write(line) {
      text += `${line}\n`;
      if (text.length > CHUNK_CHARACTERS) flush();
    },
    close(partial) {
      flush();
      if (!temporary) return;
      closeSync(descriptor);
      renameSync(temporary, partial ? `${target}.partial` : target!);
    },
    discard() {
      if (!temporary) return;
      closeSync(descriptor);
      unlinkSync(temporary);
    },
  };
}

/**
 * Where the finished file goes: links are followed. Nothing for what is written in place: standard output, and a pipe
 * or a device, which a renamed file would replace.
 */
function targetOf(path: string): string | undefined {
  if (path === '-') return undefined;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return path;
  return stats.isFile() ? realpathSync(path) : undefined;
}

/** writeSync may write less than all, and a pipe that is full says EAGAIN. */
function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/** Writes `text` as a whole file, or to standard output for '-'. */
export function writeWhole(path: string, text: string): void {
  const sink = openLineSink(path);
  sink.write(text.endsWith('\n') ? text.slice(0, -1) : text);
  sink.close(false);
}
