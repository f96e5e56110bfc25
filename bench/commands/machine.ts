import { readFileSync } from 'node:fs';
import type { Argv, CommandModule } from 'yargs';
import { runMachineScript } from '../../machine/index.ts';
import { builtInMachine, MACHINE_SCENARIOS } from '../../machine/scenarios/index.ts';
import { machineDigest } from '../../machine/views/digest.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { writeWhole } from '../../workloads/files/line-sink.ts';
import { loadMachinePrograms } from '../cli/machine-programs.ts';

interface MachineArguments {
  script: string;
  output: string | undefined;
}

export const machineCommand: CommandModule<object, MachineArguments> = {
  command: 'machine <script>',
  describe: 'a whole machine of many processes: fork, shared memory, page cache, groups, reclaim, huge pages',
  builder: (yargs: Argv) =>
    yargs
      .positional('script', {
        type: 'string',
        demandOption: true,
        describe: `a script's file, - for standard input, or one that is built in: ${Object.keys(MACHINE_SCENARIOS).join(', ')}`,
      })
      .option('output', {
        alias: 'o',
        type: 'string',
        describe: 'JSON lines of every step and sample, to FILE or - (then nothing else)',
      }) as unknown as Argv<MachineArguments>,
  handler: async ({ script, output }) => {
    const name = script === '-' || script === '' ? 'standard input' : script;
    const text = textOf(script);
    const run = runMachineScript(text, { name, program: await loadMachinePrograms(text, name) });
    if (output !== undefined) writeWhole(output, `${run.lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
    if (output !== '-') process.stdout.write(machineDigest(run));
  },
};

/** A built-in script by its name, a file, or standard input. */
function textOf(script: string): string {
  const own = builtInMachine(script);
  if (own !== undefined) return own;
  try {
    return readFileSync(script === '-' || script === '' ? 0 : script, 'utf8');
  } catch (error) {
    const names = Object.keys(MACHINE_SCENARIOS).join(', ');
    throw new UserError(
      `machine: found '${script}', expected a script's file, -, or one of ${names} (${(error as Error).message})`,
    );
  }
}
