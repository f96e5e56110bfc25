import { release } from 'node:os';
import { Readable } from 'node:stream';
import { loadModel } from '../../../allocators/load.ts';
import { type AllocatorSpec, formatAllocator } from '../../../allocators/spec.ts';
import { Interrupted, UserError } from '../../../sim/contract/assert.ts';
import { type EventBuffer, OP_CTL, OP_MASK, OP_SKIPPED, type Touch } from '../../../sim/contract/event.ts';
import { unpackMallctl } from '../../../sim/contract/mallctl.ts';
import type { KernelVersion } from '../../../sim/kernel/kernel.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import { type Comparison, collectPlacements, comparePlacements } from '../../../sim/replay/compare-placements.ts';
import type { LineSink } from '../../../workloads/files/line-sink.ts';
import { formatTrace } from '../../../workloads/trace/writer.ts';
import { LockstepRun } from '../../run/modes/lockstep.ts';
import { inPieces } from '../../run/pieces.ts';
import { type NativeSample, replayNatively, straceNatively, straceObstacle, type TraceText } from '../native/native.ts';
import { type FoundOriginal, findOriginal } from './real.ts';
import { compareStatistics, type StatisticDifference } from './statistics.ts';
import { parseStraceLog, type RealSyscall } from './strace-log.ts';

export interface VerifyOptions {
  readonly events: EventBuffer;
  readonly workload: string;
  readonly spec: AllocatorSpec;
  /** Over the trace's own. */
  readonly touch?: Touch;
  /** Differences to keep of each kind. */
  readonly show?: number;
  /** Where it comes with the system calls, the rest is told as partial; before, Interrupted is thrown. */
  readonly signal?: AbortSignal;
  /** Called as the parts come to an end. */
  readonly onStep?: (done: string) => void;
}

export interface SampleDifference {
  readonly label: string;
  readonly event: number;
  readonly differing: readonly StatisticDifference[];
}

export interface SyscallDifference {
  /** Place in the list; all calls before it are the same. */
  readonly index: number;
  /** Event of the model's call. */
  readonly event: number | undefined;
  readonly model: string | undefined;
  readonly real: string | undefined;
}

export interface Verification {
  readonly workload: string;
  readonly allocator: string;
  readonly real: string;
  readonly cpus: number;
  readonly kernel: KernelVersion;
  readonly events: number;
  readonly placements: Comparison;
  readonly samples: {
    readonly total: number;
    readonly equal: number;
    /** Numbers compared, over all samples. */
    readonly numbers: number;
    readonly first: readonly SampleDifference[];
  };
  /** `leftOut` says why they were not compared. */
  readonly syscalls:
    | { readonly total: number; readonly equal: number; readonly first: SyscallDifference | undefined }
    | { readonly leftOut: string };
  readonly abort: string | null;
  /** What the native replay says of this machine. */
  readonly remarks: readonly string[];
  /** Why two runs of the real allocator differ from each other with these settings; null where they do not. */
  readonly unrepeatable: string | null;
  /** Interrupted: the system calls were not compared. */
  readonly partial: boolean;
  /** Every placement identical, every number and call the same. */
  readonly passed: boolean;
}

/** Settings with which the real jemalloc does what the host's scheduler and clock decide. */
function unrepeatableSetting({ model, options }: AllocatorSpec): string | null {
  if (model.name !== 'jemalloc') return null;
  if (options['percpu_arena'] !== 'disabled') {
    return 'with percpu_arena an arena is chosen by the processor that a thread happens to run on';
  }
  if (options['background_thread'] === true) return 'background threads purge by the host’s clock';
  return null;
}

/** Linux 6.7 began to place mappings whose length is a multiple of 2 MiB at such a multiple. */
function kernelRules(): KernelVersion {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 7) ? '6.18' : '6.1';
}

/** Replays the trace on the model and on the real allocator of this machine, and compares all that both tell. */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { events, isChanged } = withoutBackgroundThreads(options.events);
  const { show = 10 } = options;
  const original = findOriginal(options.spec);
  const text: TraceText = () => Readable.from(chunks(events));
  const native = {
    allocator: original.real,
    environment: original.environment,
    ...(options.touch && { touch: options.touch }),
    ...(options.signal && { signal: options.signal }),
  };

  const truth = await replayNatively(text, { ...native, info: true });
  options.onStep?.('the real allocator');
  const model = await runModel({ ...options, events }, original, truth.samples);
  options.onStep?.('the model');
  const syscalls = await verifySyscalls(model.syscalls, () => straceNatively(text, native, false));
  options.onStep?.('system calls');

  const placements = comparePlacements(model.placements, truth.placements, show);
  const samples = compareSamples(model.samples, truth.samples, original.real.zeroPage, show);
  return {
    workload: options.workload,
    allocator: formatAllocator(options.spec),
    real: `${original.real.library} ${original.real.version}`,
    cpus: original.real.cpus,
    kernel: kernelRules(),
    events: events.length,
    placements,
    samples,
    syscalls,
    abort: model.abort,
    remarks: [
      ...truth.remarks,
      ...(isChanged && options.spec.model.name === 'jemalloc' ? [BACKGROUND_REMARK] : []),
      ...(original.real.zeroPage || options.spec.model.name !== 'jemalloc' ? [] : [READ_STATISTICS_REMARK]),
    ],
    unrepeatable: unrepeatableSetting(options.spec),
    partial: options.signal?.aborted === true,
    passed:
      model.abort === null &&
      placements.identical === placements.total &&
      samples.equal === samples.total &&
      ('leftOut' in syscalls || syscalls.first === undefined),
  };
}

const READ_STATISTICS_REMARK =
  'this machine’s kernel has no zero page, so reading jemalloc’s statistics makes pages of its arenas resident: resident bytes were not compared';
const BACKGROUND_REMARK =
  'the program’s background_thread was left out on both sides: background threads purge by the host’s clock';

/** Without the calls that start background threads. They keep their numbers. */
function withoutBackgroundThreads(events: EventBuffer): { events: EventBuffer; isChanged: boolean } {
  let head: Int32Array | undefined;
  for (let row = 0; row < events.length; row++) {
    if ((events.head[row]! & OP_MASK) !== OP_CTL) continue;
    const call = unpackMallctl(events.a[row]!, events.b[row]!);
    if (call?.name !== 'background_thread' && call?.name !== 'max_background_threads') continue;
    head ??= events.head.slice();
    head[row] = (head[row]! & ~OP_MASK) | OP_SKIPPED;
  }
  return head ? { events: { ...events, head }, isChanged: true } : { events, isChanged: false };
}

/** The text form; a stream keeps chunks, and the formatter uses its buffer again. */
function* chunks(events: EventBuffer): Generator<Uint8Array> {
  for (const chunk of formatTrace(events)) yield chunk.slice();
}

/** What malloc_info() prints, where the model can say it. */
type ModelSample = Sample & { readonly malloc_info: readonly string[] | undefined };

async function runModel(options: VerifyOptions, original: FoundOriginal, truth: readonly NativeSample[]) {
  const placements = collectPlacements();
  const syscalls = collect();
  const samples: ModelSample[] = [];
  const mallocInfo = options.spec.model.views.find((view) => view.name === 'malloc_info');
  await loadModel(options.spec);
  const run: LockstepRun = new LockstepRun({
    events: options.events,
    workload: options.workload,
    spec: onThisMachine(options.spec, truth),
    cpus: original.real.cpus,
    kernel: { version: kernelRules() },
    placements: { write: placements.add, close: () => {}, discard: () => {} },
    syscalls,
    onSample: (sample) =>
      samples.push({ ...sample, malloc_info: mallocInfo && lines(mallocInfo.render(run.assembled.top)) }),
    ...(options.touch && { touch: options.touch }),
  });
  await inPieces({
    advance(rows) {
      run.advance(run.row + rows);
      return !run.done;
    },
    onProgress: undefined,
    signal: options.signal,
  });
  if (options.signal?.aborted) throw new Interrupted('interrupted');
  run.sample('(end)', run.row);
  return {
    placements: placements.finish(),
    syscalls: syscalls.lines,
    samples,
    abort: run.abort && `event ${run.abort.event}: ${run.abort.message}`,
  };
}

interface Collected extends LineSink {
  readonly lines: string[];
}
function collect(): Collected {
  const lines: string[] = [];
  return { lines, write: (line) => lines.push(`${line}\n`), close: () => {}, discard: () => {} };
}

/** jemalloc's random numbers start from the address of the main thread's own data, which depends on the libraries. */
function onThisMachine(spec: AllocatorSpec, truth: readonly NativeSample[]): AllocatorSpec {
  const pointer = truth[0]?.tp?.find(([thread]) => thread === 0)?.[1];
  if (pointer === undefined || !spec.model.options.some((o) => o.name === 'tp_main')) return spec;
  const seen = { tp_main: Number.parseInt(pointer, 16) };
  return { ...spec, options: { ...spec.options, ...seen }, given: { ...spec.given, ...seen } };
}

/** The real one's samples have one before the first event too, which a model has nothing to say about. */
function compareSamples(
  model: readonly ModelSample[],
  truth: readonly NativeSample[],
  zeroPage: boolean,
  show: number,
): Verification['samples'] {
  const real = truth.filter((sample) => sample.event >= 0);
  const first: SampleDifference[] = [];
  const mallocInfo = model[0]?.malloc_info !== undefined;
  let equal = 0;
  let numbers = 0;
  real.forEach((sample, i) => {
    const { compared, differing } = compareStatistics(
      modelNumbers(model[i]),
      realNumbers(sample, mallocInfo, zeroPage),
    );
    numbers += compared;
    if (differing.length === 0) equal++;
    else if (first.length < show) first.push({ label: sample.label, event: sample.event, differing });
  });
  return { total: real.length, equal, numbers, first };
}

const lines = (text: string) => text.split('\n');

function realNumbers(sample: NativeSample, mallocInfo: boolean, zeroPage: boolean): object {
  const { malloc_info, ...mallinfo2 } = sample.glibc ?? {};
  return {
    label: sample.label,
    event: sample.event,
    ...((zeroPage || !sample.jemalloc) && { rssBytes: sample.rss_kb * 1024 }),
    vszBytes: sample.size_kb * 1024,
    ...(sample.glibc && { mallinfo2 }),
    ...(mallocInfo && { malloc_info: lines(malloc_info as string) }),
    ...(sample.jemalloc && { jemalloc: withBinsBySize(sample.jemalloc) }),
  };
}

type Rows = readonly Record<string, number>[];

/** The native replay lists every bin, the model those that were ever used: both as used bins by their size. */
function withBinsBySize<T extends { readonly bins?: unknown }>(jemalloc: T): T {
  const used = (jemalloc.bins as Rows | undefined)?.filter((bin) => bin['nslabs'] !== 0);
  return { ...jemalloc, bins: used && Object.fromEntries(used.map((bin) => [`of ${bin['size']}`, bin])) };
}

function modelNumbers(sample: ModelSample | undefined): object {
  if (!sample) return {};
  const { label, event, rssBytes, vszBytes, stats, malloc_info } = sample;
  // The native replay lists the bins of all arenas together, and of the large classes those that an arena has served.
  const merged = (stats['arenas'] ?? {}) as Record<string, Rows>;
  const lextents = merged['lextents']?.filter((row) => row['nmalloc'] !== 0 || row['ndalloc'] !== 0);
  const jemalloc = withBinsBySize({ ...stats, bins: merged['bins'], lextents });
  return { label, event, rssBytes, vszBytes, mallinfo2: stats, malloc_info, jemalloc };
}

async function verifySyscalls(
  model: readonly string[],
  trace: () => Promise<string>,
): Promise<Verification['syscalls']> {
  const obstacle = straceObstacle();
  if (obstacle) return { leftOut: obstacle };
  try {
    return compareSyscalls(model, parseStraceLog(await trace()));
  } catch (error) {
    if (error instanceof Interrupted) return { leftOut: error.message };
    // The same replay went well without strace: this machine does not let one process trace another.
    if (error instanceof UserError) return { leftOut: error.message };
    throw error;
  }
}

/**
 * glibc's model counts a chunk in 31 bits of 16 bytes: what is larger is asked for as so much, and refused all the same
 * (a break that is refused stays where it was).
 */
const ASKED_MAX_BYTES = 2 ** 35;

function isRefusedAlike(model: string | undefined, real: string | undefined): boolean {
  const [ours, theirs] = [model, real].map((call) => /^(\d+ brk) (?:fence-|0x)\S+ = (heap\S+)$/.exec(call ?? ''));
  if (ours && theirs) return ours[1] === theirs[1] && ours[2] === theirs[2];
  const [one, other] = [model, real].map((call) => /^(\d+ mmap \S+) (\d+) (.*) = -1$/.exec(call ?? ''));
  if (!one || !other || one[1] !== other[1] || one[3] !== other[3]) return false;
  return Number(one[2]) >= ASKED_MAX_BYTES && Number(other[2]) >= ASKED_MAX_BYTES;
}

/** The model's lines are `EVENT THREAD CALL`. */
function compareSyscalls(
  model: readonly string[],
  real: readonly RealSyscall[],
): Exclude<Verification['syscalls'], { leftOut: string }> {
  const total = Math.max(model.length, real.length);
  for (let index = 0; index < total; index++) {
    const [, event, call] = /^(\d+) (.*)\n$/.exec(model[index] ?? '') ?? [];
    const found = real[index];
    const theirs = found && `${found.thread} ${found.text}`;
    if (call !== theirs && !isRefusedAlike(call, theirs)) {
      const at = event === undefined ? undefined : Number(event);
      return { total, equal: index, first: { index, event: at, model: call, real: theirs } };
    }
  }
  return { total, equal: total, first: undefined };
}
