import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../../sim/contract/assert.ts';
import { cutTrace } from '../../../workloads/trace/cut.ts';
import { writeTrace } from '../../../workloads/trace/output.ts';
import { type InputArguments, inputOptions, loadInput, outputPositional } from './input.ts';

interface CutArguments extends InputArguments {
  out: string;
  from: number;
  to: number;
  threads: string | undefined;
  live: 'prefix' | 'drop';
}

export const cutCommand: CommandModule<object, CutArguments> = {
  command: 'cut <in> <out>',
  describe: 'a part of a trace that is a trace itself',
  builder: (yargs: Argv) =>
    outputPositional(inputOptions(yargs))
      .option('from', { type: 'number', default: 0, describe: 'first event' })
      .option('to', {
        type: 'number',
        default: Infinity,
        defaultDescription: 'the end',
        describe: 'the event behind the last',
      })
      .option('threads', { type: 'string', describe: 'only the blocks of these threads: 0,3,7-9' })
      .option('live', {
        choices: ['prefix', 'drop'] as const,
        default: 'prefix' as const,
        describe: 'blocks that are live at --from: allocate them first, or leave out all that happens to them',
      }) as unknown as Argv<CutArguments>,
  handler: async (argv) => {
    const { from, to, live } = argv;
    if (!(Number.isInteger(from) && from >= 0))
      throw new UserError(`--from: found '${from}', expected an event number`);
    if (!(to >= from)) throw new UserError(`--to: found '${to}', expected an event number from ${from} on`);
    const threads = argv.threads === undefined ? undefined : threadSet(argv.threads);
    const part = cutTrace(await loadInput(argv), { from, to, live, ...(threads && { threads }) });
    await writeTrace(argv.out, part);
  },
};

const THREAD_RANGE_MAX = 1e6;

function threadSet(text: string): Set<number> {
  const threads = new Set<number>();
  for (const range of text.split(',')) {
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(range);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!(last >= first && last - first < THREAD_RANGE_MAX)) {
      throw new UserError(`--threads: found '${text}', expected thread numbers as 0,3,7-9`);
    }
    for (let thread = first; thread <= last; thread++) threads.add(thread);
  }
  return threads;
}
