import type { Observation, TraceSummary } from '../../sim/contract/event.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Sample } from '../../sim/metrics/sample.ts';

/**
 * A recorded process at one of its samples: what the simulation stands for, and what it does not, beside what the kernel
 * said. All in resident bytes; `heap` + `anonymous` + `stack` + `data` + `files` + `recorder` + `difference` = `vmRss`.
 */
export interface RecordedProcessSample {
  readonly label: string;
  readonly event: number;
  /** Simulated. */
  readonly heap: Bytes;
  /** Mappings without a file in which no block lay: stacks of threads, what the program mapped itself. */
  readonly anonymous: Bytes;
  readonly stack: Bytes;
  /** Pages of files that the process has written. */
  readonly data: Bytes;
  readonly files: Bytes;
  /** There for the recording alone. */
  readonly recorder: Bytes;
  /** VmRSS, recorded. */
  readonly vmRss: Bytes;
  readonly difference: Bytes;
  /** Of the difference, what the mappings with blocks held more than is simulated. The rest changed between two looks. */
  readonly inBlocks: Bytes;
}

/** What PHP said of its heap, beside the simulation. */
export interface PhpHeapSample {
  readonly label: string;
  readonly event: number;
  readonly recorded: { readonly usage: Bytes; readonly realUsage: Bytes };
  readonly simulated: { readonly usage: Bytes; readonly realUsage: Bytes };
}

export interface RecordedProcess {
  readonly samples: readonly RecordedProcessSample[];
  readonly phpHeap: readonly PhpHeapSample[];
  /** The most that the heap had (recordedPeak); null where that is not known, or the run has another allocator. */
  readonly peakBytes: Bytes | null;
}

/** Null where the trace has nothing that the kernel or PHP said at one of the samples. `isSameSetup`: the process had the allocator of the run. */
export function recordedProcess(
  events: TraceSummary,
  samples: readonly Sample[],
  isSameSetup: boolean,
): RecordedProcess | null {
  if (events.observations.length === 0) return null;
  const byEvent = new Map(samples.map((sample) => [sample.event, sample]));
  const found: RecordedProcessSample[] = [];
  const phpHeap: PhpHeapSample[] = [];
  for (const { row, values } of events.observations) {
    const sample = byEvent.get(row);
    if (!sample) continue;
    const seen = new Map(values);
    const process = processSample(sample, seen);
    if (process) found.push(process);
    const php = phpHeapSample(sample, seen);
    if (php) phpHeap.push(php);
  }
  if (found.length + phpHeap.length === 0) return null;
  const peakBytes = isSameSetup ? recordedPeak(events.observations) : null;
  return { samples: found, phpHeap, peakBytes };
}

/**
 * The most that the heap had up to the last of these observations: VmHWM, without what was there beside the heap at the looks around it, the first one
 * that has it and the one before: of a program that unmaps libraries at its end the last look has less. Null where it is not known.
 */
export function recordedPeak(observations: readonly Observation[]): Bytes | null {
  const looks = observations.filter(isLook).map(({ values }) => new Map(values));
  const most = looks.at(-1)?.get('VmHWM');
  if (most === undefined) return null;
  const first = looks.findIndex((seen) => seen.get('VmHWM') === most);
  const beside = (seen: ReadonlyMap<string, Bytes>) =>
    BESIDE_HEAP.reduce((sum, name) => sum + (seen.get(name) ?? 0), 0);
  return most - Math.max(...looks.slice(Math.max(0, first - 1), first + 1).map(beside));
}

const BESIDE_HEAP = ['anonymous', 'stack', 'data', 'files', 'recorder'];

/** Whether the kernel was asked about the whole process. */
export const isLook = ({ values }: Observation): boolean =>
  ['VmRSS', 'blocks'].every((name) => values.some(([one]) => one === name));

/** undefined where the kernel was not asked. */
export function processSample(
  sample: Pick<Sample, 'label' | 'event' | 'rssBytes'>,
  seen: ReadonlyMap<string, Bytes>,
): RecordedProcessSample | undefined {
  const vmRss = seen.get('VmRSS');
  const blocks = seen.get('blocks');
  if (vmRss === undefined || blocks === undefined) return undefined;
  const of = (name: string) => seen.get(name) ?? 0;
  const others = {
    anonymous: of('anonymous'),
    stack: of('stack'),
    data: of('data'),
    files: of('files'),
    recorder: of('recorder'),
  };
  const sum = Object.values(others).reduce((total, bytes) => total + bytes, sample.rssBytes);
  return {
    label: sample.label,
    event: sample.event,
    heap: sample.rssBytes,
    ...others,
    vmRss,
    difference: vmRss - sum,
    inBlocks: blocks - sample.rssBytes,
  };
}

function phpHeapSample(sample: Sample, seen: ReadonlyMap<string, Bytes>): PhpHeapSample | undefined {
  const usage = seen.get('memory_get_usage');
  const { memory_get_usage: simulated, memory_get_usage_real: simulatedReal } = sample.stats;
  if (usage === undefined || typeof simulated !== 'number' || typeof simulatedReal !== 'number') return undefined;
  return {
    label: sample.label,
    event: sample.event,
    recorded: { usage, realUsage: seen.get('memory_get_usage_real') ?? 0 },
    simulated: { usage: simulated, realUsage: simulatedReal },
  };
}
