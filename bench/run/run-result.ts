import type { AllocatorSpec } from '../../allocators/spec.ts';
import { formatAllocator } from '../../allocators/spec.ts';
import type { Touch, TraceSummary } from '../../sim/contract/event.ts';
import { OPERATIONS } from '../../sim/contract/operations.ts';
import type { Bytes, Ns } from '../../sim/contract/units.ts';
import { KERNEL_DEFAULTS, type Kernel } from '../../sim/kernel/kernel.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import type { Assembled } from './machine.ts';
import { outOfOrder } from './out-of-order.ts';
import { recordedProcess } from './recorded-process.ts';
import { otherSetup } from './recorded-setup.ts';
import {
  type ConcurrencyResult,
  type LockResult,
  type Percentiles,
  RESULT_SCHEMA,
  type RunDescription,
  type RunResult,
  type TlbResult,
} from './result.ts';
import type { RunOptions } from './run-options.ts';
import { VERSION } from './version.ts';

/** What a run in which time passes knows beyond a lockstep run. */
export interface Timing {
  readonly latencyNs: { readonly malloc: Percentiles; readonly free: Percentiles };
  readonly virtualNs: Ns;
  readonly cpuNs: Ns;
  readonly waitNs: Ns;
  readonly locks: readonly LockResult[];
  readonly concurrency: ConcurrencyResult;
}

export interface FinishedRun {
  readonly options: RunOptions<TraceSummary>;
  readonly assembled: Assembled;
  readonly touch: Touch;
  /** Events that were executed; in lockstep those before this row. */
  readonly eventsDone: number;
  readonly abort: { readonly event: number; readonly message: string } | null;
  /** The last one is of the end of the run. */
  readonly samples: readonly Sample[];
  /** Ascending. */
  readonly failedRows: readonly number[];
  readonly requestedPeakBytes: Bytes;
  readonly replayNs: number;
  readonly loadNs: number;
  readonly timing: Timing | undefined;
  readonly tlb?: TlbResult | undefined;
}

export function describeRun(options: RunOptions<TraceSummary>, touch: Touch): RunDescription {
  return {
    workload: options.workload,
    parameters: options.parameters ?? {},
    allocator: formatAllocator(options.spec),
    options: resolvedOptions(options.spec),
    mode: options.mode ?? 'lockstep',
    cpus: options.cpus,
    pace: options.pace ?? 'asap',
    timeReason: options.timeReason ?? null,
    until: options.until ?? null,
    touch,
    kernel: options.kernel?.version ?? KERNEL_DEFAULTS.version,
    seed: options.seed ?? 0,
    version: VERSION,
  };
}

/** Every option of every layer, the lower one's under `below`. */
function resolvedOptions(spec: AllocatorSpec): Record<string, unknown> {
  return spec.below ? { ...spec.options, below: resolvedOptions(spec.below) } : { ...spec.options };
}

export const countsByName = (counts: ArrayLike<number>): Record<string, number> =>
  Object.fromEntries(OPERATIONS.map((name, i) => [name, counts[i]!]));

/** Where the simulated address space was too small: a real process would have gone on. */
function limitsMet(kernel: Kernel): string[] {
  const { mappings, farMappings, breaks } = kernel.spaceRefusals();
  const limits: [what: string, calls: number][] = [
    ['arenas and other mappings that are cut into blocks, beyond 24 GiB', mappings],
    ['mappings that are one block each, beyond 2 TiB', farMappings],
    ['a brk heap beyond 8 GiB', breaks],
  ];
  return limits
    .filter(([, calls]) => calls > 0)
    .map(
      ([what, calls]) =>
        `${what}: ${calls} ${calls === 1 ? 'call was' : 'calls were'} refused that a real process may be granted`,
    );
}

export function assembleResult(run: FinishedRun): RunResult {
  const { options, assembled, failedRows, eventsDone, requestedPeakBytes, timing } = run;
  const { events } = options;
  const { machine, top } = assembled;
  const last = run.samples.at(-1)!;
  const rssPeakBytes = machine.kernel.residency.residentPeakPages() * 4096;
  const late = outOfOrder(options, requestedPeakBytes);
  const futexCalls = timing?.locks.reduce((sum, lock) => sum + lock.futexWaits + lock.futexWakes, 0) ?? 0;
  return {
    schema: RESULT_SCHEMA,
    run: describeRun(options, run.touch),
    partial: eventsDone < events.length && run.abort === null,
    abort: run.abort,
    summary: {
      rssBytes: last.rssBytes,
      rssPeakBytes,
      vszBytes: last.vszBytes,
      vszPeakBytes: machine.kernel.mappedPeakPages() * 4096,
      requestedBytes: last.requestedBytes,
      requestedPeakBytes,
      usableBytes: last.usableBytes,
      liveBlocks: last.liveBlocks,
      breakdown: last.breakdown,
      withinSlabsBytes: last.withinSlabsBytes,
      internalFragmentation: last.internalFragmentation,
      externalFragmentation: last.externalFragmentation,
      blowup: requestedPeakBytes === 0 ? null : rssPeakBytes / requestedPeakBytes,
      faults: last.faults,
      hugeFaults: last.hugeFaults,
      syscalls: { ...last.syscalls, futex: futexCalls },
      failedAllocations: failedRows.length,
      skippedEvents: options.events.skipped,
      latencyNs: timing?.latencyNs ?? null,
      virtualNs: timing?.virtualNs ?? last.virtualNs,
      cpuNs: timing?.cpuNs ?? null,
      waitNs: timing?.waitNs ?? null,
    },
    samples: run.samples,
    recordedProcess: recordedProcess(events, run.samples, otherSetup(options) === null),
    locks: timing?.locks ?? [],
    concurrency: timing?.concurrency ?? null,
    ...(timing && late && { outOfOrder: late }),
    ...(!timing && { operations: countsByName(machine.operations) }),
    ...(run.tlb && { tlb: run.tlb }),
    stats: last.stats,
    notModelled: [...top.notModelled(), ...limitsMet(machine.kernel)],
    engine: {
      events: eventsDone,
      replayNs: run.replayNs,
      loadNs: run.loadNs,
      hostRssBytes: process.memoryUsage.rss(),
    },
  };
}
