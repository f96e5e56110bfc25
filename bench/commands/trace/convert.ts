import type { Argv, CommandModule } from 'yargs';
import { anonymizeTrace } from '../../../workloads/trace/anonymize.ts';
import { writeTrace } from '../../../workloads/trace/output.ts';
import { type InputArguments, inputOptions, loadInput, outputPositional } from './input.ts';

export const convertCommand: CommandModule<object, InputArguments & { out: string; anonymize: boolean }> = {
  command: 'convert <in> <out>',
  describe: 'to another form, by the name: .htrace, .htb (loads without parsing), each with .gz or .zst behind it',
  builder: (yargs: Argv) =>
    outputPositional(inputOptions(yargs)).option('anonymize', {
      type: 'boolean',
      default: false,
      describe: 'keep sizes, order and times alone: no names, call sites or environment',
    }),
  handler: async (argv) => {
    const events = await loadInput(argv);
    await writeTrace(argv.out, argv.anonymize ? anonymizeTrace(events) : events);
  },
};
