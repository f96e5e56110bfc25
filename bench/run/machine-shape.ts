import type { AllocatorSpec } from '../../allocators/spec.ts';
import { type EventBuffer, OP_CLOCK, OP_STALE_FREE } from '../../sim/contract/event.ts';
import { hasOperation } from '../../sim/contract/operation-set.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import type { RunOptions } from './run-options.ts';

/** Whether the trace tells when its events were. */
export const isTimed = (events: EventBuffer): boolean => hasOperation(events, OP_CLOCK);

/**
 * A text that two runs share only where one of them can be made in the other's machine: all that differs is what runs begin with (options of
 * allocators that Allocator.configure takes, seed, pace). `trace` names the columns. Undefined where somebody looks at the run on its way, or it is
 * made by other means.
 */
export function machineShape(options: RunOptions, trace: string): string | undefined {
  const { events, cpus, kernel, costs, topology, hz, start, pace, mode } = options;
  if (isWatched(options) || mode === 'threads' || hasOperation(events, OP_STALE_FREE)) return undefined;
  const touch = options.touch ?? events.touch;
  const common = { trace, rows: events.length, cpus, touch, kernel: { ...KERNEL_DEFAULTS, ...kernel } };
  // Each begin is a thread at most.
  const layers = layersOf(options.spec, { ...common.kernel, cpus, threads: events.begins.length + 1 });
  if (mode !== 'virtual') return JSON.stringify(['lockstep', layers, common]);
  const isRecorded = isTimed(events) || pace === 'recorded';
  return JSON.stringify(['virtual', layers, common, costs, topology, hz, start, pace === 'replay', isRecorded]);
}

function layersOf(
  spec: AllocatorSpec,
  program: Parameters<NonNullable<AllocatorSpec['model']['shape']>>[3],
): unknown[] {
  const { model, version, options, given, below } = spec;
  const shape = model.shape ? model.shape(version, options, given, program) : options;
  return [model.name, version, shape, ...(below ? layersOf(below, program) : [])];
}

/** Somebody wants to hear of more than the end. */
const isWatched = (options: RunOptions): boolean =>
  options.lastSampleOnly !== true ||
  (options.sampleEvery ?? 0) > 0 ||
  (options.sampleIdleNs ?? 0) > 0 ||
  options.check === 'events' ||
  WATCHERS.some((name) => options[name] !== undefined);

const WATCHERS = [
  'tlb',
  'sampleBefore',
  'onRise',
  'samplePeak',
  'watch',
  'placements',
  'syscalls',
  'timeTrace',
  'onSample',
  'onAllocation',
] as const satisfies readonly (keyof RunOptions)[];
