import type { Argv, CommandModule } from 'yargs';
import { parseAllocator, parseNumber } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { answer } from '../cli/answer.ts';
import { type BatchArguments, batchOptions, inBatch } from '../cli/batch-options.ts';
import { positive } from '../cli/positive-option.ts';
import { type MachineArguments, machineOptions } from '../cli/run-options.ts';
import { type TimeArguments, timeOptions } from '../cli/time-options.ts';
import { splitAllocators } from '../study/compare/allocator-list.ts';
import { plan } from '../study/plan/plan.ts';
import { planText } from '../study/plan/text.ts';
import { loadTask } from './load-task.ts';

interface PlanArguments extends MachineArguments, TimeArguments, BatchArguments {
  allocators: string[];
  memory: string;
  extra: string;
  processes: number | undefined;
  risk: number;
}

export const planCommand: CommandModule<object, PlanArguments> = {
  command: 'plan <workload>',
  describe: 'how many processes fit in a machine, and what so many need',
  builder: (yargs: Argv) =>
    batchOptions(timeOptions(machineOptions(yargs)))
      .hide('allocator')
      .option('allocators', {
        type: 'string',
        array: true,
        nargs: 1,
        default: ['glibc'],
        describe: 'A,B,… to size for',
      })
      .option('memory', { type: 'string', default: '16G', describe: 'for all processes together, bytes (K, M, G)' })
      .option('extra', { type: 'string', default: '0', describe: 'of each process beside its heap, bytes (K, M, G)' })
      .option('processes', { type: 'number', describe: 'tell what so many need' })
      .option('risk', { type: 'number', default: 1e-4, describe: 'probability to exceed the memory at a moment' })
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
    const task = { ...(await loadTask({ ...argv, allocator: allocators[0]! })), seed: argv.seed };
    const result = await inBatch(argv, allocators.length, (batch) =>
      plan({
        ...batch,
        task,
        allocators,
        memory,
        extra,
        risk: argv.risk,
        ...(argv.processes !== undefined && { processes: argv.processes }),
      }),
    );
    await answer(argv.json, result, (palette) => planText(result, palette));
  },
};

function bytesOption(option: string, text: string): number {
  const value = parseNumber(text, true);
  if (value === undefined || value < 0) {
    throw new UserError(`--${option}: found '${text}', expected a number of bytes (K, M, G)`);
  }
  return value;
}
