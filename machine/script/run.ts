import { runMachineCommand } from './machine-commands.ts';
import { MachineRun, type MachineRunOptions } from './machine-run.ts';
import { parseScript } from './parse.ts';
import { runProcessCommand } from './process-commands.ts';

export { type MachineLine, MachineRun, type MachineRunOptions } from './machine-run.ts';

/**
 * Runs a machine script (docs/machine.md) on a simulated machine.
 * @throws UserError for a script that the grammar does not allow.
 */
export function runMachineScript(text: string, options: MachineRunOptions = {}): MachineRun {
  const name = options.name ?? 'script';
  const script = parseScript(text, name);
  const run = new MachineRun({ ...script.options, ...options.machine }, name, options.onLine ?? (() => {}));
  for (const command of script.commands) {
    if (command.words[0] === 'end') continue;
    run.step++;
    if (command.process === undefined) runMachineCommand(run, command);
    else runProcessCommand(run, command);
  }
  run.finish();
  return run;
}
