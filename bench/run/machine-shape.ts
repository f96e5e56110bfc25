import type { AllocatorSpec } from '../../allocators/spec.ts';
import { type EventBuffer, OP_CLOCK, OP_STALE_FREE, type Touch, type TraceSummary } from '../../sim/contract/event.ts';
import { hasOperation } from '../../sim/contract/operation-set.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { samplesOnTheWay } from './modes/virtual-events.ts';
import type { RunOptions } from './run-options.ts';

/** Whether the trace tells when its events were. */
export const isTimed = (events: EventBuffer): boolean => hasOperation(events, OP_CLOCK);

/** What is known of a run before its trace is opened, and of the trace. */
export interface ShapedRun extends Omit<RunOptions<TraceSummary>, 'events' | 'touch'> {
  /** Names the columns. */
  readonly trace: string;
  readonly rows: number;
  /** Most that there can be at a time. */
  readonly threads: number;
  /** Undefined: as the trace says. */
  readonly touch: Touch | undefined;
}

/**
 * A text that two runs share only where one of them can be made in the other's machine: all that differs is what runs begin with (options of
 * allocators that Allocator.configure takes, seed, pace). Undefined where somebody looks at the run on its way, or it is made by other means.
 */
export function machineShape(options: RunOptions, trace: string): string | undefined {
  const { events, mode, pace } = options;
  if (hasOperation(events, OP_STALE_FREE) || samplesOnTheWay(options)) return undefined;
  const { length: rows, touch } = events;
  // Each begin is a thread at most.
  const run = { ...options, touch: options.touch ?? touch, trace, rows, threads: events.begins.length + 1 };
  if (mode !== 'virtual') return lockstepShape(run);
  if (isWatched(run)) return undefined;
  const { costs, topology, hz, start } = options;
  const isRecorded = isTimed(events) || pace === 'recorded';
  return JSON.stringify(['virtual', ...commonOf(run), costs, topology, hz, start, pace === 'replay', isRecorded]);
}

/** The same of a run in file order, as long as it takes no samples on the way. */
export function lockstepShape(run: ShapedRun): string | undefined {
  if (run.mode === 'threads' || run.mode === 'virtual' || isWatched(run)) return undefined;
  return JSON.stringify(['lockstep', ...commonOf(run)]);
}

function commonOf({ spec, trace, rows, threads, cpus, touch, kernel }: ShapedRun): unknown[] {
  const whole = { ...KERNEL_DEFAULTS, ...kernel };
  return [layersOf(spec, { ...whole, cpus, threads }), trace, rows, cpus, touch, whole];
}

function layersOf(
  spec: AllocatorSpec,
  program: Parameters<NonNullable<AllocatorSpec['model']['shape']>>[3],
): unknown[] {
  const { model, version, options, given, below } = spec;
  const shape = model.shape ? model.shape(version, options, given, program) : options;
  return [model.name, version, shape, ...(below ? layersOf(below, program) : [])];
}

/** Somebody wants to see more than the end. */
const isWatched = (options: Pick<RunOptions, 'check' | (typeof WATCHERS)[number]>): boolean =>
  options.check === 'events' || WATCHERS.some((name) => options[name] !== undefined);

const WATCHERS = [
  'tlb',
  'onRise',
  'samplePeak',
  'watch',
  'placements',
  'syscalls',
  'timeTrace',
  'onSample',
  'onAllocation',
] as const satisfies readonly (keyof RunOptions)[];
