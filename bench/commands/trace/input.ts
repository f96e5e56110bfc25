import type { Argv } from 'yargs';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { counted } from '../../../sim/contract/format.ts';
import { loadWorkload } from '../../cli/load-workload.ts';
import { note, show } from '../../cli/show.ts';

const inputDescription = 'a trace (.htrace, .htb, compressed or not; - for stdin), or a built-in workload';

export interface InputArguments {
  in: string;
  lenient: boolean;
}

/** The input of the commands that read a trace. */
export function inputOptions<T>(yargs: Argv<T>): Argv<T & InputArguments> {
  return yargs.positional('in', { type: 'string', demandOption: true, describe: inputDescription }).option('lenient', {
    type: 'boolean',
    default: false,
    describe: 'leave out events that break a rule',
  }) as unknown as Argv<T & InputArguments>;
}

export async function loadInput({ in: input, lenient }: InputArguments): Promise<EventBuffer> {
  const { events } = await loadWorkload(input, { lenient });
  if (events.skipped > 0) note(`${input}: ${counted(events.skipped, 'event')} left out`);
  return events;
}

/** The output of the commands that write one. */
export function outputPositional<T>(yargs: Argv<T>): Argv<T & { out: string }> {
  return yargs.positional('out', {
    type: 'string',
    demandOption: true,
    coerce: (path: string) => path || '-', // yargs hands a `-` over as an empty text
    describe: 'the file to write; - for text to stdout',
  }) as unknown as Argv<T & { out: string }>;
}

/** A line as it is: what begins with file and line is read by editors, which want it whole. */
export function print(line: string): void {
  show(`${line}\n`);
}
