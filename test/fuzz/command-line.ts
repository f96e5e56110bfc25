import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runCommandLine } from '../../bench/commands/command-line.ts';
import { orRefused } from './refusal.ts';
import { scratchFile } from './scratch.ts';

const TRACE = ['%htrace 1', '%touch full', 'm 0 1 100', 'm 1 2 5000', '= a', 'f 1 1', '+ 1000', 'm 0 3 200000', ''].join('\n'); // biome-ignore format: a list

/** What the folder of every command line has. */
export const FILES: Readonly<Record<string, string>> = {
  't.htrace': TRACE,
  'machine.txt': 'new a\na mmap A 1M private\na touch A 0 1M\nsample s\n',
  'bad.htrace': '%htrace 1\nf 0 1\n',
  'config.json': '{"allocator": "jemalloc"}',
  'suite.json': '{"workloads": ["t.htrace"], "allocators": ["glibc"]}',
  empty: '',
};

/** These run programs of the machine, or wait for others: a wrong option of theirs is refused by the same parser. */
export const ELSEWHERE: readonly string[] = ['record', 'trace record', 'verify', 'calibrate', 'bench', 'worker'];

function prepare(): string {
  const folder = join(dirname(scratchFile('any', new Uint8Array())), 'folder');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Runs the line as the command does, in the folder; what it prints is returned. */
async function execute(args: readonly string[], folder: string): Promise<string> {
  const before = process.cwd();
  const { write } = process.stdout;
  const { write: writeError } = process.stderr;
  let printed = '';
  process.chdir(folder);
  process.stderr.write = () => true;
  process.stdout.write = ((text: string | Uint8Array, ...rest: readonly unknown[]) => {
    printed += String(text);
    const done = rest.find((arg) => typeof arg === 'function') as (() => void) | undefined;
    done?.();
    return true;
  }) as typeof process.stdout.write;
  try {
    await orRefused(() => runCommandLine(args));
    return printed;
  } finally {
    process.stdout.write = write;
    process.stderr.write = writeError;
    process.exitCode = undefined;
    process.chdir(before);
  }
}

/** Runs the line in a folder with FILES; throws unless it ends as it should, leaves nothing half written, and moves no terminal. */
export async function checkCommandLine(args: readonly string[]): Promise<void> {
  const folder = prepare();
  const printed = await execute(args, folder);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that may not appear
  const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.exec(printed);
  if (control)
    throw new Error(`a control character: ${JSON.stringify(printed.slice(control.index - 40, control.index + 40))}`);
  const unfinished = readdirSync(folder).filter((name) => name.endsWith('.tmp'));
  if (unfinished.length > 0) throw new Error(`left behind: ${unfinished.join(' ')}`);
  if (!existsSync(join(folder, 't.htrace'))) throw new Error('an input is gone');
}
