import { UserError } from '../../sim/contract/assert.ts';
import { runMachineCommand } from './machine-commands.ts';
import { MachineRun, type MachineRunOptions } from './machine-run.ts';
import { type Command, parseScript, type Script } from './parse.ts';
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
  const run = new MachineRun({ ...script.options, ...options.machine }, name, options.onLine ?? (() => {}));
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
