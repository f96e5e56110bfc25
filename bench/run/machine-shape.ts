import type { AllocatorSpec } from '../../allocators/spec.ts';
import { type EventBuffer, OP_CLOCK, OP_STALE_FREE, type Touch, type TraceSummary } from '../../sim/contract/event.ts';
import { hasOperation } from '../../sim/contract/operation-set.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { samplesOnTheWay } from './modes/virtual-events.ts';
import type { RunOptions } from './run-options.ts';

/** Each begin is a thread at most. */
export const mostThreads = ({ begins }: TraceSummary): number => begins.length + 1;

/** Whether the trace tells when its events were. */
export const isTimed = (events: EventBuffer): boolean => hasOperation(events, OP_CLOCK);

/** What is known of a run before its trace is opened, and of the trace. */
export interface ShapedRun extends Omit<RunOptions<TraceSummary>, 'events' | 'touch'> {
  /** Names the columns. */
  readonly trace: string;
  readonly rows: number;
  /** Most that there can be at a time. */
  readonly threads: number;
  /** The trace tells when its events were. */
  readonly isTimed: boolean;
  /** Undefined: as the trace says. */
  readonly touch: Touch | undefined;
}

/**
 * A text that two runs share only where one of them can be made in the other's machine: all that differs is what runs begin with (options of
 * allocators that Allocator.configure takes, seed, pace). Undefined where somebody looks at the run on its way, or it is made by other means.
 */
export function machineShape(options: RunOptions, trace: string): string | undefined {
  const { events } = options;
  if (hasOperation(events, OP_STALE_FREE) || samplesOnTheWay(options)) return undefined;
  const { length: rows, touch } = events;
  const ofTrace = { trace, rows, threads: mostThreads(events), isTimed: isTimed(events) };
  return shapeOfRun({ ...options, touch: options.touch ?? touch, ...ofTrace });
}

/** The same, as long as the run takes no samples on the way. */
export function shapeOfRun(run: ShapedRun): string | undefined {
  const { mode, pace, costs, topology, hz, start } = run;
  if (mode === 'threads' || isWatched(run)) return undefined;
  if (mode !== 'virtual') return JSON.stringify(['lockstep', ...commonOf(run)]);
  const isRecorded = run.isTimed || pace === 'recorded';
  return JSON.stringify(['virtual', ...commonOf(run), costs, topology, hz, start, pace === 'replay', isRecorded]);
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
