import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../../sim/contract/assert.ts';
import { checkWritable } from '../files/output-file.ts';
import { HTB_MAGIC } from '../trace/binary.ts';
import { checkTraceName } from '../trace/output.ts';

/** Where the trace of a program goes that nobody has named: its own name, in the current folder. */
export function defaultOutput(program: string): string {
  return `${basename(program).replace(/[^\w.+-]/g, '_') || 'program'}.htb`;
}

/** `app.htb` for process 4711 is `app.4711.htb`; for a program that it was earlier, `app.4711.1.htb`. */
export function outputOf(output: string, pid: number, earlier: number): string {
  const ending = /\.(htb|htrace)(\.gz|\.zst)?$/.exec(output)?.[0] ?? '';
  const stem = output.slice(0, output.length - ending.length);
  return `${stem}.${pid}${earlier > 0 ? `.${earlier}` : ''}${ending}`;
}

/** Refuses, before anything runs, what must not be written: a file that is no trace, or is one and not to be replaced. */
export function checkOutput(output: string, force: boolean): void {
  if (output === '-') return;
  checkTraceName(output);
  const found = statOf(output);
  const refuse = (what: string, expected: string) => new UserError(`${output}: found ${what}, expected ${expected}`);
  if (!found) {
    checkWritable(output);
  } else if (found.isDirectory()) {
    throw refuse('a folder', 'a file to write');
  } else if (found.isFile() && found.size > 0) {
    if (!isTrace(output)) throw refuse('a file that is no trace', 'another name: it will not be replaced');
    if (!force) throw refuse('a trace', 'another name (-o), or --force to replace it');
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // what is wrong with it, checkWritable says
  }
}

/** PID_MAX_LIMIT. */
const LARGEST_PID = 2 ** 22;

/** The same for the traces of the processes that the program becomes or starts, whose names are longer. */
export function checkOutputs(output: string, force: boolean): void {
  checkOutput(output, force);
  if (output !== '-') checkWritable(outputOf(output, LARGEST_PID, 0));
}

function isTrace(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(65536);
    const start = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
    if (start[0] === 0x28 && start[1] === 0xb5) return /\.(htb|htrace)\.zst$/.test(path);
    const plain = start[0] === 0x1f && start[1] === 0x8b ? gunzipSync(start, { finishFlush: 2 }) : start;
    return plain.subarray(0, 8).equals(HTB_MAGIC) || /^\uFEFF?%htrace [12]\s/.test(plain.toString('utf8', 0, 32));
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
}
