import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { format } from 'node:util';
import { runCommandLine } from '../../bench/commands/command-line.ts';
import { helpText } from '../../bench/commands/help.ts';
import { messageLine } from '../../bench/report/escape.ts';
import { UserError } from '../../sim/contract/assert.ts';

interface Written {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command in this process, as bench/program.ts does: for what it writes and ends with, where no start of Node, signal, pipe or limit matters.
 * The code is the sources', not what is shipped. One at a time; the test file needs a process of its own.
 */
export async function command(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  folder = process.cwd(),
): Promise<Written> {
  const before = { env: { ...process.env }, exitCode: process.exitCode, folder: process.cwd() };
  const output = { stdout: '', stderr: '' };
  const release = [
    capture(process.stdout, 'write', (text) => void (output.stdout += text)),
    capture(process.stderr, 'write', (text) => void (output.stderr += text)),
    captureDescriptor((text) => void (output.stdout += text)),
    capture(console, 'log', (...rest) => void (output.stdout += `${format(...rest)}\n`)),
    capture(console, 'error', (...rest) => void (output.stderr += `${format(...rest)}\n`)),
  ];
  Object.assign(process.env, { NO_COLOR: '1', GITHUB_ACTIONS: '', ...environment });
  process.exitCode = undefined;
  process.chdir(folder);
  try {
    if (args.length === 1 && (args[0] === '--help' || args[0] === '-h')) output.stdout = helpText();
    else await runCommandLine(args);
    return { status: Number(process.exitCode ?? 0), ...output };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { status: 2, stdout: output.stdout, stderr: `${output.stderr}sim: ${messageLine(error.message)}\n` };
  } finally {
    for (const put of release) put();
    process.env = before.env;
    process.exitCode = before.exitCode;
    process.chdir(before.folder);
  }
}

/** Puts something in the place of a method until what is returned is called. */
function capture<Name extends string>(
  owner: { [name in Name]: (...args: never[]) => unknown },
  name: Name,
  hear: (...args: unknown[]) => void,
): () => void {
  const own = owner[name];
  const heard = (...args: unknown[]) => {
    hear(...args);
    const written = args.findLast((arg) => typeof arg === 'function');
    written?.();
    return true;
  };
  owner[name] = heard as typeof own;
  return () => void (owner[name] = own);
}

/** What is written to the descriptor itself: standard output as a file. */
function captureDescriptor(hear: (text: string) => void): () => void {
  const own = fs.writeSync;
  const decoder = new TextDecoder();
  fs.writeSync = ((fd: number, data: string | Uint8Array, from?: number, length?: number, ...rest: unknown[]) => {
    if (fd !== 1) return (own as (...args: unknown[]) => number)(fd, data, from, length, ...rest);
    const part = typeof data === 'string' ? Buffer.from(data) : data.subarray(from, length && (from ?? 0) + length);
    hear(decoder.decode(part, { stream: true }));
    return part.length;
  }) as typeof fs.writeSync;
  syncBuiltinESMExports();
  return () => {
    fs.writeSync = own;
    syncBuiltinESMExports();
  };
}
