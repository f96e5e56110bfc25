import { setImmediate } from 'node:timers/promises';
import type { Argv, CommandModule } from 'yargs';
import { parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { answer } from '../cli/answer.ts';
import { type BatchArguments, batchOptions, inBatch } from '../cli/batch-options.ts';
import { bytesOption } from '../cli/bytes-option.ts';
import { fleetScenario } from '../cli/fleet-scenario.ts';
import { checkRuns, positive } from '../cli/positive-option.ts';
import { type MachineArguments, machineOptions } from '../cli/run-options.ts';
import { type TimeArguments, timeOptions } from '../cli/time-options.ts';
import { recordedAllocator } from '../run/recorded-allocator.ts';
import { allocatorList } from '../study/compare/allocator-list.ts';
import { type PlanKind, plan } from '../study/plan/plan.ts';
import { planText } from '../study/plan/text.ts';
import { planCsv } from '../study/tables.ts';
import { loadTask } from './load-task.ts';
import { planFleetCommand } from './plan-fleet.ts';

interface PlanArguments extends MachineArguments, TimeArguments, BatchArguments {
  allocators: string[] | undefined;
  memory: string;
  extra: string;
  processes: number | undefined;
  risk: number;
  mix: string[];
  reserve: string;
  shared: string;
  seeds: number;
  horizon: string[] | undefined;
  settings: string[] | undefined;
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
        describe: 'A,B,… to size for; default: glibc, for a recording what it ran under',
      })
      .option('memory', { type: 'string', default: '16G', describe: 'for all processes together, bytes (K, M, G, T)' })
      .option('extra', {
        type: 'string',
        default: '0',
        describe: 'of each process beside its heap, bytes (K, M, G, T)',
      })
      .option('shared', { type: 'string', default: '0', describe: 'what all have once, together, bytes (K, M, G, T)' })
      .option('reserve', {
        type: 'string',
        default: '0',
        describe: 'kept free of the memory, bytes (K, M, G, T), or a share: 10%',
      })
      .option('mix', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
        describe:
          'SHARE=WORKLOAD: beside WORKLOAD, which has share 1, so many processes of another; may be given again',
      })
      .option('seeds', { type: 'number', default: 1, describe: 'so many seeds, from --seed on' })
      .option('processes', { type: 'number', describe: 'tell what so many need' })
      .option('risk', {
        type: 'number',
        default: 1e-4,
        describe: 'probability to exceed the memory: at a moment, of a fleet within the horizon',
      })
      .option('horizon', {
        type: 'string',
        array: true,
        nargs: 1,
        describe:
          "of a fleet's scenario: how long it is to hold, such as 24h; may be given again (default: 24h, 72h, 30d)",
      })
      .option('settings', {
        type: 'string',
        array: true,
        nargs: 1,
        describe: "of a fleet's scenario: all of its settings, none (default), or one by its name",
      })
      .example(
        '$0 plan lanczos-im6 --allocators glibc,jemalloc --memory 8G  # who fits',
        '',
      ) as unknown as Argv<PlanArguments>,
  handler: async (argv) => {
    const fleet = fleetScenario(argv.workload);
    if (fleet) return planFleetCommand(fleet, argv);
    let allocators = argv.allocators && allocatorList(argv.allocators);
    for (const allocator of allocators ?? []) parseAllocator(allocator, argv.cpus ?? 1);
    const memory = bytesOption('memory', argv.memory);
    const extra = bytesOption('extra', argv.extra);
    if (argv.processes !== undefined) positive('processes', argv.processes);
    const shared = bytesOption('shared', argv.shared);
    const reserve = reserveOf(argv.reserve, memory);
    positive('seeds', argv.seeds);
    checkRuns((allocators?.length ?? 1) * (1 + argv.mix.length) * argv.seeds);
    const kinds: PlanKind[] = [];
    for (const { workload, share } of [{ workload: argv.workload, share: 1 }, ...argv.mix.map(parseMix)]) {
      const tasks: PlanKind['tasks'][number][] = [];
      for (let seed = argv.seed; seed < argv.seed + argv.seeds; seed++) {
        await setImmediate(); // a signal is heard
        const task = await loadTask({ ...argv, workload, allocator: allocators?.[0], seed });
        allocators ??= [recordedAllocator(task.events!)];
        tasks.push({ ...task, seed });
      }
      kinds.push({ tasks, share });
    }
    const sized = allocators!;
    const result = await inBatch(argv, sized.length * kinds.length * argv.seeds, (batch) =>
      plan({
        ...batch,
        kinds,
        allocators: sized,
        memory,
        shared,
        reserve,
        extra,
        risk: argv.risk,
        ...(argv.processes !== undefined && { processes: argv.processes }),
      }),
    );
    await answer(
      argv,
      result,
      (palette, width) => planText(result, palette, width),
      () => planCsv(result),
    );
  },
};

/** Bytes, or a share of the memory. */
function reserveOf(text: string, memory: number): number {
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  return share ? (memory * Number(share[1])) / 100 : bytesOption('reserve', text);
}

function parseMix(text: string): { workload: string; share: number } {
  const [, share, workload] = /^(\d+(?:\.\d+)?)=(.+)$/.exec(text) ?? [];
  if (workload === undefined || Number(share) === 0) {
    throw new UserError(`--mix: found '${text}', expected SHARE=WORKLOAD, as in 0.5=php-pool`);
  }
  return { workload, share: Number(share) };
}
