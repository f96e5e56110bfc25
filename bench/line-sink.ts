import { closeSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { UserError } from '../sim/assert.ts';

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
  const temporary = path === '-' ? undefined : `${path}.${process.pid}.tmp`;
  let descriptor = 1;
  if (temporary) {
    try {
      descriptor = openSync(temporary, 'w');
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
      renameSync(temporary, partial ? `${path}.partial` : path);
    },
    discard() {
      if (!temporary) return;
      closeSync(descriptor);
      unlinkSync(temporary);
    },
  };
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
