import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { benchmark } from '../benchmark/benchmark.ts';
import { benchmarkCommands } from '../benchmark/commands/benchmark-commands.ts';
import { isReached } from '../benchmark/commands/rows.ts';
import { commandsCsv, commandsText } from '../benchmark/commands/text.ts';
import { markOf } from '../benchmark/goals.ts';
import { benchmarkCsv, benchmarkText } from '../benchmark/text.ts';
import { answer } from '../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../cli/answer-options.ts';
import { listenForInterrupt } from '../cli/interruption.ts';
import { median } from '../evidence/median.ts';
import type { Palette } from '../report/text/palette.ts';
import { allocatorList } from '../study/compare/allocator-list.ts';

interface BenchArguments extends AnswerArguments {
  allocators: string[];
  quick: boolean;
  check: boolean;
  commands: boolean;
}

export const benchCommand: CommandModule<object, BenchArguments> = {
  command: 'bench',
  describe: 'the engine’s own speed, beside the real allocators where a C compiler is there',
  builder: (yargs: Argv) =>
    answerOptions(yargs, { json: 'all figures', csv: 'the tables' })
      .option('allocators', { type: 'string', array: true, default: [], describe: 'only these models: A,B,…' })
      .option('quick', { type: 'boolean', default: false, describe: 'few events and rounds; judges nothing' })
      .option('check', { type: 'boolean', default: false, describe: 'exit 1 where a goal that must be met is missed' })
      .option('commands', {
        type: 'boolean',
        default: false,
        describe: 'instead: whole commands in fresh processes, each figure beside its goal',
      }) as unknown as Argv<BenchArguments>,
  handler: async (argv) => {
    const onStep = (about: string) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${about} …`);
    if (argv.commands) return showCommands(argv, onStep);
    const allocators = allocatorList(argv.allocators);
    const result = await heard((signal) => benchmark({ quick: argv.quick, allocators, onStep, signal }));
    await showResult(
      argv,
      result,
      (palette) => benchmarkText(result, palette, !argv.quick),
      () => benchmarkCsv(result),
    );
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
  await showResult(
    argv,
    result,
    (palette) => commandsText(result, palette, !argv.quick),
    () => commandsCsv(result),
  );
  const isMissed = result.rows.some((row) => isReached(row, median(row.found)) === false);
  if (argv.check && !argv.quick && !result.partial && isMissed) process.exitCode = 1;
}

function showResult(
  argv: BenchArguments,
  result: object,
  text: (palette: Palette) => string,
  table: () => string,
): Promise<void> {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  return answer(argv, result, text, table);
}
