import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, normalize } from 'node:path';
import { UserError } from '../../sim/contract/assert.ts';
import { writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { systemError } from '../../workloads/files/system-error.ts';
import { type EngineArguments, inBatch } from '../cli/batch-options.ts';
import { show } from '../cli/show.ts';
import { terminalWidth } from '../cli/width.ts';
import type { CommandJob, CommandOutcome } from '../study/engine/command-job.ts';

/** What a command reads and writes. */
export interface CommandFiles {
  readonly command: string;
  /** The positional argument: a file, `-`, or a name that the worker knows as well. */
  readonly input: string;
  /** Its option's name. */
  readonly positional: string;
  /** Files that the input names. */
  readonly reads: readonly string[];
  /** Options whose values are files to write; `-` is standard output. */
  readonly writes: readonly string[];
}

/** Options that say where a command is executed, not what it does. */
const ASIDE = ['_', '$0', 'engine', 'store', 'resume', 'workers', 'plugin', 'help', 'version'];
/** What travels with a job. */
const FILES_BYTES = 64 * 2 ** 20;

/** Has a worker execute the command; what it would print and write here is printed and written here. */
export async function executeByQueue(argv: object, files: CommandFiles): Promise<void> {
  const where = argv as EngineArguments;
  const job = jobOf(argv as Readonly<Record<string, unknown>>, files);
  const { status, stdout, stderr, outputs } = await inBatch(where, 1, async ({ signal, onNote, onDone }) => {
    const { createQueueExecutor } = await import('../study/engine/queue-executor.ts');
    const options = {
      engine: where.engine!,
      resume: where.resume,
      ...(signal && { signal }),
      ...(onNote && { onNote }),
    };
    const queue = await createQueueExecutor(options);
    try {
      const outcome: CommandOutcome = await queue.executeCommand(job);
      onDone?.(1, 1);
      return outcome;
    } finally {
      await queue.close();
    }
  });
  writeWholeFiles(
    Object.entries(outputs).map(([name, text]) => [
      String((argv as Record<string, unknown>)[name.slice(OUT.length)]),
      text,
    ]),
  );
  process.stderr.write(stderr);
  show(stdout);
  if (status) process.exitCode = status;
}

const OUT = '.out-';

function jobOf(argv: Readonly<Record<string, unknown>>, files: CommandFiles): CommandJob {
  const { command, input, positional, reads, writes } = files;
  const isStdin = input === '-' || input === '';
  const args = [command, isStdin ? '-' : input];
  const outputs: string[] = [];
  for (const [name, value] of Object.entries(argv)) {
    // yargs repeats an option under its alias, and in camel case.
    if (ASIDE.includes(name) || name === positional || name.length === 1 || /[A-Z]/.test(name) || value === undefined)
      continue;
    const isFile = writes.includes(name) && value !== '-' && value !== '';
    if (isFile) outputs.push(OUT + name);
    for (const one of [value].flat()) args.push(optionText(name, isFile ? OUT + name : one));
  }
  const sent = [...(isStdin || !isFileAt(input) ? [] : [input]), ...reads.filter(isFileAt)];
  return {
    args,
    files: readAll(sent),
    stdin: isStdin ? readFileSync(0, 'utf8') : '',
    outputs,
    columns: terminalWidth(),
  };
}

const optionText = (name: string, value: unknown): string =>
  value === true ? `--${name}` : value === false ? `--no-${name}` : `--${name}=${value}`;

const isFileAt = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** Base64, by name. */
function readAll(names: readonly string[]): Record<string, string> {
  let bytes = 0;
  const files: Record<string, string> = {};
  for (const name of names) {
    if (isAbsolute(name) || normalize(name).startsWith('..')) {
      throw new UserError(
        `--engine: found file ${name}, expected one below this folder: a worker has it under the same name`,
      );
    }
    try {
      const content = readFileSync(name);
      bytes += content.length;
      files[name] = content.toString('base64');
    } catch (error) {
      throw new UserError(`${name}: found ${systemError(error)}, expected a file`);
    }
  }
  if (bytes > FILES_BYTES)
    throw new UserError(`--engine: found files of ${bytes} bytes, expected at most ${FILES_BYTES}`);
  return files;
}
