import { cpus } from 'node:os';
import type { Argv, CommandModule } from 'yargs';
import { parseAllocator } from '../../allocators/spec.ts';
import type { EventBuffer, Touch } from '../../sim/contract/event.ts';
import { answer } from '../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../cli/answer-options.ts';
import { listenForInterrupt } from '../cli/interruption.ts';
import { loadWorkload } from '../cli/load-workload.ts';
import { note } from '../cli/show.ts';
import { verificationCsv } from '../evidence/verify/csv.ts';
import { verificationText } from '../evidence/verify/text.ts';
import { verify } from '../evidence/verify/verify.ts';
import { recordedAllocator } from '../run/recorded-allocator.ts';

interface VerifyArguments extends AnswerArguments {
  workload: string;
  allocator: string | undefined;
  touch: Touch | undefined;
  seed: number;
  show: number;
}

/** What served malloc where the trace was recorded. PHP's own heap is none that could be loaded here. */
function servedBy(name: string, { recorded }: EventBuffer): string {
  const allocator = recordedAllocator({ recorded }).split('+').at(-1)!;
  if (allocator !== 'glibc') note(`${name}: recorded under ${allocator}, and verified so; -a takes another`);
  return allocator;
}

export const verifyCommand: CommandModule<object, VerifyArguments> = {
  command: 'verify <workload>',
  describe: 'replay on the real allocator of this machine too, and show the differences',
  builder: (yargs: Argv) =>
    answerOptions(yargs, { json: 'everything that was compared', csv: 'the differences' })
      .positional('workload', {
        type: 'string',
        demandOption: true,
        describe: 'a trace file, or a built-in name (`sim list workloads`)',
      })
      .option('allocator', {
        alias: 'a',
        type: 'string',
        describe:
          'glibc or jemalloc, in the version that is installed here: name[@version][:option=value,…]; default: glibc, for a recording what served its malloc',
      })
      .option('touch', {
        choices: ['full', 'first', 'none'] as const,
        describe: 'what is written into fresh blocks, over the trace’s own',
      })
      .option('seed', { type: 'number', default: 0, describe: 'of a built-in workload' })
      .option('show', {
        type: 'number',
        default: 10,
        describe: 'differences to show of each kind',
      }) as unknown as Argv<VerifyArguments>,
  handler: async (argv) => {
    // What is wrong with it should not wait for a long trace to load.
    const asked = argv.allocator === undefined ? undefined : parseAllocator(argv.allocator, cpus().length);
    const workload = await loadWorkload(argv.workload, { seed: argv.seed });
    const spec = asked ?? parseAllocator(servedBy(workload.name, workload.events), cpus().length);
    const interruption = listenForInterrupt();
    const verification = await verify({
      events: workload.events,
      workload: workload.name,
      spec,
      show: argv.show,
      signal: interruption.signal,
      ...(argv.touch && { touch: argv.touch }),
    }).finally(() => interruption.release());
    await answer(
      argv,
      verification,
      () => verificationText(verification, workload.events),
      () => verificationCsv(verification),
    );
    if (!verification.passed && !verification.partial && verification.unrepeatable === null) process.exitCode = 1;
  },
};
