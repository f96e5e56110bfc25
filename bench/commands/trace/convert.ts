import type { Argv, CommandModule } from 'yargs';
import { writeTrace } from '../../../workloads/trace/output.ts';
import { type InputArguments, inputOptions, loadInput, outputPositional } from './input.ts';

export const convertCommand: CommandModule<object, InputArguments & { out: string }> = {
  command: 'convert <in> <out>',
  describe: 'to another form, by the name: .htrace, .htb (loads without parsing), each with .gz or .zst behind it',
  builder: (yargs: Argv) => outputPositional(inputOptions(yargs)),
  handler: async (argv) => writeTrace(argv.out, await loadInput(argv)),
};
