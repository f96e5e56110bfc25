import { type AllocatorSpec, formatAllocator } from '../../../../allocators/spec.ts';
import type { EventBuffer } from '../../../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../../../sim/contract/units.ts';
import type { KernelOptions } from '../../../../sim/kernel/kernel.ts';
import type { Breakdown } from '../../../../sim/metrics/sample.ts';
import { ownEnvironment } from '../../../run/recorded-setup.ts';
import type { RunResult } from '../../../run/result.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import type { RunTask } from '../../parallel/run-task.ts';
import { type Pasted, paste } from './paste.ts';
import type { PriceOf } from './priced-work.ts';
import { applySetting, type Setting, settingName } from './setting.ts';

/** Resident bytes under one setting in several orders of the threads' calls, layouts of the process and paces of the clock. */
export interface OrderRange {
  readonly leastBytes: Bytes;
  readonly mostBytes: Bytes;
  /** Runs that are not in it: they held more at once than the program did. */
  readonly leftOut: number;
  /** The most that one of these leaves; 0 where there are none. */
  readonly leftOutMostBytes: Bytes;
}

/** The same workload up to the same event, under another setting: run, not estimated. */
export interface WhatIf {
  readonly setting: string;
  readonly about: string;
  /** What it is meant to mend: a mechanism's name, `usual` for what people reach for, `both` for two at once. */
  readonly mechanism: string;
  /** As it may be given to --allocator. */
  readonly allocator: string;
  readonly rssBytes: Bytes;
  /** What other orders of the threads' calls leave, the trace's own with them; null where it does not depend on them or was not asked for. */
  readonly orders: OrderRange | null;
  readonly rssPeakBytes: Bytes;
  readonly vszBytes: Bytes;
  readonly breakdown: Breakdown;
  readonly faults: number;
  readonly syscalls: number;
  /** The price of what was counted in file order, locks and waits aside; of one thread that was timed as it is, beside that time. */
  readonly workNs: Ns;
  /** Work of all threads and their waits for locks in virtual time; null where it was not asked for. */
  readonly cpuNs: Ns | null;
  /** The same in the order in which it takes most more than the run as it is. */
  readonly cpuMostNs: Ns | null;
  readonly lockWaitNs: Ns | null;
  readonly timedFaults: number | null;
  readonly timedSyscalls: number | null;
  /** The real program would have aborted, or memory would have run out. */
  readonly failed: boolean;
  /** Of the system, where that is what was set; else null. */
  readonly thp: 'never' | 'madvise' | 'always' | null;
  /** Ready to paste; null for what nothing outside the program sets. */
  readonly paste: Pasted | null;
}

/** A setting to try, and why. */
export interface Trial {
  readonly setting: Setting;
  readonly mechanism: string;
  readonly task: RunTask;
}

/** undefined where the setting changes nothing: the allocator has no such option, or every run would be the one that is explained. */
export function trialOf(options: RunOptions, end: number, setting: Setting, mechanism: string): Trial | undefined {
  const spec = applySetting(options.spec, setting, options.cpus);
  if (!spec) return undefined;
  const thp = thpOf(options, setting);
  if (setting.thp !== undefined && setting.thp === thpOf(options)) return undefined;
  if (stateOf(options, spec, thp) === stateOf(options, options.spec, thpOf(options))) return undefined;
  return { setting, mechanism, task: taskOf(options, end, formatAllocator(spec), setting.thp) };
}

const thpOf = ({ kernel }: RunOptions, setting?: Setting): KernelOptions['thp'] =>
  setting?.thp ?? kernel?.thp ?? 'never';

/** What two trials share only where their runs are the same. */
export const startingState = (options: RunOptions, { setting }: Trial): string =>
  stateOf(options, applySetting(options.spec, setting, options.cpus)!, thpOf(options, setting));

function stateOf({ kernel, events, cpus }: RunOptions, spec: AllocatorSpec, thp: KernelOptions['thp']): string {
  const isLimited = Number.isFinite(kernel?.rlimitAs ?? Infinity) || Number.isFinite(kernel?.rlimitData ?? Infinity);
  const program = { thp, cpus, threads: isLimited ? Infinity : events.threadSlots };
  const layers: string[] = [thp];
  for (let layer: AllocatorSpec | undefined = spec; layer; layer = layer.below) {
    const { model, version, options: values, given } = layer;
    const state = model.startingState?.(version, given, program) ?? JSON.stringify(values);
    layers.push(`${model.name}@${version} ${state}`);
  }
  return layers.join(' ');
}

/** The run up to row `end` as plain data. */
export function taskOf(options: RunOptions, end: number, allocator: string, thp?: Setting['thp']): RunTask {
  const kernel = { ...options.kernel, ...(thp && { thp }) };
  return {
    events: upTo(options.events, end),
    workload: options.workload,
    parameters: options.parameters ?? {},
    allocator,
    cpus: options.cpus,
    mode: 'lockstep',
    pace: options.pace ?? 'asap',
    seed: options.seed ?? 0,
    lastSampleOnly: true,
    kernel,
    ...(options.touch && { touch: options.touch }),
    ...(options.costs && { costs: options.costs }),
  };
}

const cuts = new WeakMap<EventBuffer, EventBuffer>();

/** The events before row `end`: the same ones for as long as it is the same row, for what is known of events is known of these alone. */
export function upTo(events: EventBuffer, end: number): EventBuffer {
  if (end >= events.length) return events;
  const last = cuts.get(events);
  if (last?.length === end) return last;
  const cut = { ...events, length: end, begins: events.begins.filter(({ row }) => row < end) };
  cuts.set(events, cut);
  return cut;
}

export function whatIfOf(
  { setting, mechanism, task }: Trial,
  result: RunResult,
  options: RunOptions,
  priceOf: PriceOf,
): WhatIf {
  const sample = result.samples.at(-1)!;
  return {
    setting: settingName(setting),
    about: setting.about,
    mechanism,
    allocator: task.allocator,
    rssBytes: sample.rssBytes,
    orders: null,
    rssPeakBytes: Math.max(result.summary.rssPeakBytes, sample.rssBytes),
    vszBytes: sample.vszBytes,
    breakdown: sample.breakdown,
    faults: sample.faults,
    syscalls: callsOf(sample.syscalls),
    workNs: priceOf(result.operations!),
    cpuNs: null,
    cpuMostNs: null,
    lockWaitNs: null,
    timedFaults: null,
    timedSyscalls: null,
    failed: result.abort !== null || result.summary.failedAllocations > 0,
    thp: setting.thp ?? null,
    paste: paste(options.spec, setting, ownEnvironment(options)),
  };
}

export const callsOf = (syscalls: Readonly<Record<string, number>>): number =>
  Object.values(syscalls).reduce((sum, n) => sum + n, 0);
