import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../../sim/contract/assert.ts';
import { count, counted } from '../../../sim/contract/format.ts';
import type { Oddities } from '../../../workloads/import/address-trace.ts';
import { IMPORTERS, importTrace } from '../../../workloads/import/index.ts';
import { checkTraceName, writeTrace } from '../../../workloads/trace/output.ts';
import { note } from '../../cli/show.ts';
import { outputPositional } from './input.ts';

interface ImportArguments {
  in: string;
  out: string;
  format: string | undefined;
  quantum: number;
}

export const importCommand: CommandModule<object, ImportArguments> = {
  command: 'import <in> <out>',
  describe: 'a trace from the log of another tool: heaptrack, glibc’s mtrace, ltrace, or CSV as bpftrace can print it',
  builder: (yargs: Argv) =>
    outputPositional(
      yargs.positional('in', {
        type: 'string',
        demandOption: true,
        describe: 'the log, .gz or not; - for stdin',
        coerce: (path: string) => path || '-',
      }),
    )
      .option('format', {
        choices: IMPORTERS.map((importer) => importer.name),
        describe: 'of the log; default: as its first line looks',
      })
      .option('quantum', quantumOption) as unknown as Argv<ImportArguments>,
  handler: async ({ in: input, out, format, quantum }) => {
    checkTraceName(out);
    const imported = await importTrace(input, { quantumNs: quantum, ...(format && { format }) });
    await writeTrace(out, imported.events);
    note(`${input}: ${counted(imported.events.length, 'event')} from ${imported.format}`);
    tellOddities(input, imported.oddities);
  },
};

export const quantumOption = {
  type: 'number',
  default: 10000,
  describe: 'nanoseconds; smaller steps of the clock are put together',
  coerce: (value: number) => {
    if (Number.isSafeInteger(value) && value >= 1) return value;
    throw new UserError(`--quantum: found '${value}', expected nanoseconds from 1`);
  },
} as const;

/** What could not be in the trace, on standard error. */
export function tellOddities(source: string, oddities: Oddities): void {
  for (const [what, times] of Object.entries(oddities)) note(`${source}: ${what}: ${count(times)}`);
}
