import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { writeWhole } from '../../workloads/files/line-sink.ts';
import { benchmark } from '../benchmark/benchmark.ts';
import { benchmarkCommands } from '../benchmark/commands/benchmark-commands.ts';
import { isReached } from '../benchmark/commands/rows.ts';
import { commandsText } from '../benchmark/commands/text.ts';
import { markOf } from '../benchmark/goals.ts';
import { benchmarkText } from '../benchmark/text.ts';
import { listenForInterrupt } from '../cli/interruption.ts';
import { terminalPalette } from '../cli/palette.ts';
import { show } from '../cli/show.ts';
import { median } from '../evidence/median.ts';
import { allocatorList } from '../study/compare/allocator-list.ts';

interface BenchArguments {
  allocators: string[];
  quick: boolean;
  check: boolean;
  commands: boolean;
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
      .option('commands', {
        type: 'boolean',
        default: false,
        describe: 'instead: whole commands in fresh processes, each figure beside its goal',
      })
      .option('json', {
        type: 'string',
        describe: 'all figures, to FILE or to stdout (then nothing else)',
      }) as unknown as Argv<BenchArguments>,
  handler: async (argv) => {
    const onStep = (about: string) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${about} …`);
    if (argv.commands) return showCommands(argv, onStep);
    const allocators = allocatorList(argv.allocators);
    const result = await heard((signal) => benchmark({ quick: argv.quick, allocators, onStep, signal }));
    showResult(argv, result, benchmarkText(result, await terminalPalette(), !argv.quick));
    if (argv.check && !result.partial && result.goals.some((goal) => markOf(goal) === 'missed')) process.exitCode = 1;
  },
};

async function heard<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = listenForInterrupt();
  try {
    return await work(interruption.signal);
  } finally {
    interruption.release();
  }
}

async function showCommands(argv: BenchArguments, onStep: (about: string) => void): Promise<void> {
  if (argv.allocators.length > 0) throw new UserError('--commands: found --allocators, expected none');
  const result = await heard((signal) => benchmarkCommands({ quick: argv.quick, onStep, signal }));
  showResult(argv, result, commandsText(result, await terminalPalette(), !argv.quick));
  const isMissed = result.rows.some((row) => isReached(row, median(row.found)) === false);
  if (argv.check && !argv.quick && !result.partial && isMissed) process.exitCode = 1;
}

function showResult({ json }: BenchArguments, result: object, text: string): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  const file = json === undefined ? undefined : json || '-';
  if (file !== undefined) writeWhole(file, `${JSON.stringify(result, null, 2)}\n`);
  if (file !== '-') show(text);
}
