import type { Argv, CommandModule } from 'yargs';
import { writeWhole } from '../../workloads/files/line-sink.ts';
import { benchmark } from '../benchmark/benchmark.ts';
import { markOf } from '../benchmark/goals.ts';
import { benchmarkText } from '../benchmark/text.ts';
import { unheard } from '../cli/interruption.ts';
import { terminalPalette } from '../cli/palette.ts';
import { show } from '../cli/show.ts';
import { splitAllocators } from '../study/compare/allocator-list.ts';

interface BenchArguments {
  allocators: string[];
  quick: boolean;
  check: boolean;
  json: string | undefined;
}

export const benchCommand: CommandModule<object, BenchArguments> = {
  command: 'bench',
  describe: 'the engine’s own speed, beside the real allocators where a C compiler is there',
  builder: (yargs: Argv) =>
    yargs
      .option('allocators', { type: 'string', array: true, default: [], describe: 'only these models: A,B,…' })
      .option('quick', { type: 'boolean', default: false, describe: 'few events and rounds; judges nothing' })
      .option('check', { type: 'boolean', default: false, describe: 'exit 1 where a goal that must be met is missed' })
      .option('json', {
        type: 'string',
        describe: 'all figures, to FILE or to stdout (then nothing else)',
      }) as unknown as Argv<BenchArguments>,
  handler: async (argv) => {
    const result = await unheard(() =>
      benchmark({
        quick: argv.quick,
        allocators: argv.allocators.flatMap(splitAllocators),
        onStep: (about) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${about} …`),
      }),
    );
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    const json = argv.json === undefined ? undefined : argv.json || '-';
    if (json !== undefined) writeWhole(json, `${JSON.stringify(result, null, 2)}\n`);
    if (json !== '-') show(benchmarkText(result, await terminalPalette(), !argv.quick));
    if (argv.check && result.goals.some((goal) => markOf(goal) === 'missed')) process.exitCode = 1;
  },
};
