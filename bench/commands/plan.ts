import type { Argv, CommandModule } from 'yargs';
import { parseAllocator, parseNumber } from '../../allocators/spec.ts';
import { UserError } from '../../sim/assert.ts';
import { splitAllocators } from '../compare/allocator-list.ts';
import { writeWhole } from '../line-sink.ts';
import { loadTask } from '../load-task.ts';
import { terminalPalette } from '../palette.ts';
import { plan } from '../plan/plan.ts';
import { planText } from '../plan/text.ts';
import { positive } from '../positive-option.ts';
import { startProgress } from '../progress.ts';
import { type MachineArguments, machineOptions } from '../run-options.ts';
import { type TimeArguments, timeOptions } from '../time-options.ts';

interface PlanArguments extends MachineArguments, TimeArguments {
  allocators: string[];
  memory: string;
  extra: string;
  processes: number | undefined;
  risk: number;
  workers: number | undefined;
  json: string | undefined;
}

export const planCommand: CommandModule<object, PlanArguments> = {
  command: 'plan <workload>',
  describe: 'how many processes fit in a machine, and what so many need',
  builder: (yargs: Argv) =>
    timeOptions(machineOptions(yargs))
      .hide('allocator')
      .option('allocators', { type: 'string', array: true, default: ['glibc'], describe: 'A,B,… to size for' })
      .option('memory', { type: 'string', default: '16G', describe: 'for all processes together, bytes (K, M, G)' })
      .option('extra', { type: 'string', default: '0', describe: 'of each process beside its heap, bytes (K, M, G)' })
      .option('processes', { type: 'number', describe: 'tell what so many need' })
      .option('risk', { type: 'number', default: 1e-4, describe: 'probability to exceed the memory at a moment' })
      .option('workers', { type: 'number', describe: 'worker threads; default: one a processor' })
      .option('json', { type: 'string', describe: 'as JSON, to FILE or to stdout (then nothing else)' })
      .example(
        '$0 plan lanczos-im6 --allocators glibc,glibc:mmap_threshold=128K,jemalloc --memory 8G',
        'workers a server can have',
      ) as unknown as Argv<PlanArguments>,
  handler: async (argv) => {
    const allocators = argv.allocators.flatMap(splitAllocators);
    for (const allocator of allocators) parseAllocator(allocator, argv.cpus ?? 1);
    const memory = bytesOption('memory', argv.memory);
    const extra = bytesOption('extra', argv.extra);
    if (argv.processes !== undefined) positive('processes', argv.processes);
    if (argv.workers !== undefined) positive('workers', argv.workers);
    const progress = startProgress(allocators.length, 'runs');
    try {
      const result = await plan({
        task: { ...(await loadTask({ ...argv, allocator: allocators[0]! })), seed: argv.seed },
        allocators,
        memory,
        extra,
        risk: argv.risk,
        ...(argv.processes !== undefined && { processes: argv.processes }),
        ...(argv.workers !== undefined && { workers: argv.workers }),
        onDone: progress.update,
      });
      progress.stop();
      if (argv.json !== undefined) writeWhole(argv.json || '-', JSON.stringify(result, null, argv.json ? 1 : 2));
      if (argv.json === undefined || (argv.json !== '' && argv.json !== '-')) {
        process.stdout.write(planText(result, await terminalPalette()));
      }
    } finally {
      progress.stop();
    }
  },
};

function bytesOption(option: string, text: string): number {
  const value = parseNumber(text, true);
  if (value === undefined || value < 0) {
    throw new UserError(`--${option}: found '${text}', expected a number of bytes (K, M, G)`);
  }
  return value;
}
