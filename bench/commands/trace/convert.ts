import type { Argv, CommandModule } from 'yargs';
import { type InputArguments, inputOptions, loadInput, outputPositional, writeOut } from './input.ts';

export const convertCommand: CommandModule<object, InputArguments & { out: string }> = {
  command: 'convert <in> <out>',
  describe: 'to another form, by the name: .htrace, .htb (loads without parsing), each with .gz or .zst behind it',
  builder: (yargs: Argv) => outputPositional(inputOptions(yargs)),
  handler: async (argv) => writeOut(argv.out, await loadInput(argv)),
};
