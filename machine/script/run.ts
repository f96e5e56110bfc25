import { UserError } from '../../sim/contract/assert.ts';
import { runMachineCommand } from './machine-commands.ts';
import { MachineRun, type MachineRunOptions } from './machine-run.ts';
import { type Command, type MachineSettings, parseScript, type Script, sizeOf } from './parse.ts';
import { runProcessCommand } from './process-commands.ts';
import { runWordsOf } from './run-command.ts';

export { type MachineLine, MachineRun, type MachineRunOptions } from './machine-run.ts';

/**
 * Runs a machine script (docs/machine.md) on a simulated machine.
 * @throws UserError for a script that the grammar does not allow, and for one that runs workloads where `options.program` is absent.
 */
export function runMachineScript(text: string, options: MachineRunOptions = {}): MachineRun {
  const steps = machineSteps(text, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** What `machineSteps` yields: the command that comes next, or a place in the middle of a long one. */
export type MachineStep = Command | 'breath';

/** The same in steps, so that whoever drives may breathe, or stop there. */
export function* machineSteps(text: string, options: MachineRunOptions = {}): Generator<MachineStep, MachineRun, void> {
  const name = options.name ?? 'script';
  const script = parseScript(text, name);
  const settings = { ...script.options, ...options.machine };
  checkAmounts(script, settings, name);
  const run = new MachineRun(settings, name, options.onLine ?? (() => {}));
  for (const { process } of runsOf(script)) run.runners.add(process);
  if (options.program) run.program = options.program;
  else if (run.runners.size > 0) throw new UserError(`${name}: run: no workloads were given`);
  options.onStart?.(run);
  for (const command of script.commands) {
    if (command.words[0] === 'end') continue;
    yield command;
    run.step++;
    if (command.process === undefined) yield* runMachineCommand(run, command);
    else yield* runProcessCommand(run, command);
    options.afterCommand?.(run, command);
    if (run.k.panicked) break;
  }
  run.finish();
  return run;
}

/** A file's pages are read one by one, also where nothing was written: what is longer than this, and longer than twice the memory, says no more. */
const FILE_MAX_BYTES = 2 ** 33;

/** Names are looked up one by one. */
const NAMES_MAX = 1_000_000;

/** 366 days: what the kernel's threads do every few seconds is done, also where it is nothing. */
const SLEEP_MAX_MS = 366 * 86_400_000;

/** net.core.wmem_default: whoever sends more to a socket that nobody reads waits for ever. */
const SOCKET_BUFFER_BYTES = 212_992;

/** @throws UserError for more than is simulated. What a write fills is bounded by the disk and the memory, what is made by limits of the kernel. */
function checkAmounts({ commands }: Script, { memoryMb, diskBytes = 0 }: MachineSettings, name: string): void {
  const most = Math.max(FILE_MAX_BYTES, 2 * memoryMb * 2 ** 20, diskBytes);
  for (const { line, process, words } of commands) {
    const [command, first, size] = words;
    if (command === 'sleep' && Number(first) > SLEEP_MAX_MS)
      throw new UserError(`${name}:${line}: sleep: found ${first}, expected at most ${SLEEP_MAX_MS} ms (366 days)`);
    if (process === undefined) continue;
    if ((command === 'stats' || command === 'dentries' || command === 'files') && Number(size) > NAMES_MAX)
      throw new UserError(`${name}:${line}: ${command}: found ${size}, expected at most ${NAMES_MAX} names`);
    const queued = words.find((word) => command === 'sockets' && word.startsWith('queued='))?.slice(7);
    if (queued !== undefined && sizeOf(queued)! > SOCKET_BUFFER_BYTES)
      throw new UserError(
        `${name}:${line}: sockets: found '${queued}', expected at most 208K, which a socket's buffer holds`,
      );
    if (command !== 'truncate' && command !== 'write') continue;
    if (sizeOf(size!)! > most)
      throw new UserError(
        `${name}:${line}: ${command}: found '${size}', expected a file of at most ${most / 2 ** 20}M (8G, twice the memory, or the disk)`,
      );
  }
}

/** A `run` of a script: line, process, and what it names. */
export interface ScriptedRun {
  readonly line: number;
  readonly process: string;
  readonly workload: string;
  readonly allocator: string;
}

/** The `run` commands of a script, whose workloads must be loaded before. */
export function runsOf(script: Script): ScriptedRun[] {
  return script.commands.flatMap(({ line, process, words }) => {
    if (process === undefined || words[0] !== 'run') return [];
    const { workload, allocator } = runWordsOf(words.slice(1));
    return [{ line, process, workload, allocator }];
  });
}
