import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../sim/contract/assert.ts';
import { type OutputFile, openOutput } from './output-file.ts';
import { isSystemError, systemError } from './system-error.ts';
import { inFolder, togetherNow } from './unfinished.ts';

/** Receives lines; the file appears under its name only when it is complete. See OutputFile. */
export interface LineSink {
  write(line: string): void;
  close(partial: boolean): void;
  discard(): void;
}

/** One that takes a line in pieces too. */
export interface FileSink extends LineSink {
  writePieces(pieces: Iterable<string>): void;
}

const CHUNK_CHARACTERS = 1 << 16;

/** A file, or standard output for '-'. Fails at once where the file can not be written. */
export function openLineSink(path: string): FileSink {
  const file = openOutput(path);
  let text = '';
  const flush = () => {
    if (text) file.write(text);
    text = '';
  };
  return {
    write(line) {
      text += `${line}\n`;
      if (text.length > CHUNK_CHARACTERS) flush();
    },
    writePieces(pieces) {
      flush();
      writePieces(file, pieces);
    },
    close(partial) {
      flush();
      file.close(partial);
    },
    discard: () => file.discard(),
  };
}

/** Writes bytes as a whole file, or to standard output for '-'. */
export function writeBinary(path: string, content: Uint8Array): void {
  const file = openOutput(path);
  try {
    file.write(content);
    file.close();
  } catch (error) {
    file.discard();
    throw error;
  }
}

function writePieces(file: OutputFile, pieces: Iterable<string>): void {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length <= CHUNK_CHARACTERS) continue;
    file.write(text);
    text = '';
  }
  file.write(`${text}\n`);
}

/** Writes `text` with a line end as a whole file, or to standard output for '-'. */
export function writeWhole(path: string, text: string): void {
  writeWholeFiles([[path, text]]);
}

/** `saysPartial`: its text says itself where it is partial, and its name need not. */
export type WholeFile = readonly [path: string, text: string | Iterable<string>, saysPartial?: boolean];

/** Writes several files, all or none; partial ones have `.partial` behind their names. */
export function writeWholeFiles(files: readonly WholeFile[], partial = false): void {
  const open: OutputFile[] = [];
  try {
    for (const [path, text] of files) {
      const file = openOutput(path);
      open.push(file);
      if (typeof text === 'string') file.write(text.endsWith('\n') ? text : `${text}\n`);
      else writePieces(file, text);
    }
    togetherNow(() => {
      for (const [i, file] of open.entries()) file.close(partial && files[i]![2] !== true);
    });
  } catch (error) {
    for (const file of open) file.discard();
    throw error;
  }
}

/** Writes files by name into a folder, all or none; makes the folder where there is none. */
export function writeFolder(folder: string, files: ReadonlyMap<string, string>): void {
  try {
    inFolder(folder, () => writeWholeFiles([...files].map(([name, text]) => [join(folder, name), text] as const)));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new UserError(`${folder}: found ${systemError(error)}, expected a folder that can be written`);
  }
}

/** Adds to a file that others write too. */
export function appendText(path: string, text: string): void {
  try {
    appendFileSync(path, text);
  } catch (error) {
    throw new UserError(`${path}: found ${systemError(error)}, expected a file that can be written`);
  }
}
