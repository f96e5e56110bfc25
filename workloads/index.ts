import { existsSync } from 'node:fs';
import { UserError } from '../sim/contract/assert.ts';
import type { EventBuffer } from '../sim/contract/event.ts';
import { createRegistry } from '../sim/contract/registry.ts';
import type { Start } from '../sim/contract/start.ts';
import { breathing } from './breathing.ts';
import { allocTest } from './generators/alloc-test.ts';
import { cacheScratch } from './generators/cache-scratch.ts';
import { fragmenter } from './generators/fragmenter.ts';
import { lanczos32t } from './generators/lanczos-32t.ts';
import { lanczosIm6 } from './generators/lanczos-im6.ts';
import { larson } from './generators/larson.ts';
import { mstress } from './generators/mstress.ts';
import { phpConcat } from './generators/php-concat.ts';
import { phpPool } from './generators/php-pool.ts';
import { phpRange } from './generators/php-range.ts';
import { phpRepeat } from './generators/php-repeat.ts';
import { producerConsumer } from './generators/producer-consumer.ts';
import { rows } from './generators/rows.ts';
import { rptest } from './generators/rptest.ts';
import { server } from './generators/server.ts';
import { sh6bench } from './generators/sh6bench.ts';
import { sh8bench } from './generators/sh8bench.ts';
import { spike } from './generators/spike.ts';
import { stress } from './generators/stress.ts';
import { xmallocTest } from './generators/xmalloc-test.ts';
import { type ReadOptions, readTrace } from './trace/reader.ts';
import { recordedCpus } from './trace/recorded-cpus.ts';
import {
  oneOf,
  type ParameterValues,
  parseParameters,
  startOf,
  stepsOf,
  type Workload,
  type WorkloadTime,
} from './workload.ts';

/** Every workload, in the order of `sim list`; those of plugins at the end. To add one: write its file in generators/, and name it here. */
const workloads = createRegistry<Workload>('workload', [
  lanczos32t,
  lanczosIm6,
  rows,
  xmallocTest,
  larson,
  producerConsumer,
  server,
  allocTest,
  mstress,
  rptest,
  sh6bench,
  sh8bench,
  cacheScratch,
  fragmenter,
  spike,
  phpConcat,
  phpRepeat,
  phpRange,
  phpPool,
  stress,
]);
export const WORKLOADS = workloads.all;
export const registerWorkload = workloads.add;

export interface LoadedWorkload {
  readonly name: string;
  readonly events: EventBuffer;
  /** Every parameter with the value that it had; nothing for a trace. */
  readonly parameters: ParameterValues;
  /** Processors of the machine that a built-in workload is meant for, or that a trace says it was recorded on. */
  readonly cpus: number | undefined;
  /** How its time passes by default; undefined for a trace. */
  readonly time: WorkloadTime | undefined;
  /** How its threads begin; the threads of a trace wait for each other, as in the ground-truth replay. */
  readonly start: Start;
}

export interface WorkloadOptions extends ReadOptions {
  /** For a built-in workload whose parameters do not name a seed. */
  readonly seed?: number;
  /** Ends a generator in the middle: Interrupted is thrown. */
  readonly signal?: AbortSignal;
}

/** A workload as far as its name says what it is: a trace has to be read for the rest. */
export interface DescribedWorkload extends Omit<LoadedWorkload, 'events' | 'time' | 'cpus'> {
  readonly cpus: number;
  readonly time: WorkloadTime;
}

/** Whether `given` names a workload whose generator lets nothing be heard while it works. */
export function isBreathless(given: string): boolean {
  const workload = WORKLOADS.find((w) => w.name === given.split(':', 1)[0]);
  return workload !== undefined && !stepsOf(workload);
}

/** Whether `given` names a built-in workload, and no trace. */
export function isBuiltIn(given: string): boolean {
  return WORKLOADS.some((w) => w.name === given.split(':', 1)[0]);
}

/** What a built-in workload is, before its events are generated; undefined for a trace. */
export function describeWorkload(given: string, options: WorkloadOptions = {}): DescribedWorkload | undefined {
  const colon = given.indexOf(':');
  const name = colon < 0 ? given : given.slice(0, colon);
  const workload = WORKLOADS.find((w) => w.name === name);
  if (!workload) return undefined;
  const parameters = workloadParameters(workload, colon < 0 ? '' : given.slice(colon + 1), options.seed);
  return {
    name,
    parameters,
    cpus: workload.cpus(parameters),
    time: workload.time,
    start: startOf(workload, parameters),
  };
}

/** The events of a built-in workload; `parameters` as `describeWorkload` gives them. */
export function generateEvents(name: string, parameters: GivenParameters): EventBuffer {
  return workloadNamed(name).generate(parameters as ParameterValues);
}

/** The same, letting the event loop breathe where the generator lets it. */
async function eventsOf(name: string, parameters: GivenParameters, signal?: AbortSignal): Promise<EventBuffer> {
  const workload = workloadNamed(name);
  const steps = stepsOf(workload);
  if (!steps) return workload.generate(parameters as ParameterValues);
  return breathing(steps(parameters as ParameterValues), signal);
}

type GivenParameters = Readonly<Record<string, number | string | boolean>>;

function workloadNamed(name: string): Workload {
  const workload = WORKLOADS.find((w) => w.name === name);
  if (workload) return workload;
  const expected = oneOf(
    name,
    WORKLOADS.map((w) => w.name),
  );
  throw new UserError(`found workload '${name}', expected ${expected}`);
}

/** `name`, `name:parameter=value,…`, the path of a trace, or `-`. */
export async function resolveWorkload(given: string, options: WorkloadOptions = {}): Promise<LoadedWorkload> {
  const spec = given === '' ? '-' : given; // yargs hands the positional argument `-` over as an empty text
  const described = describeWorkload(spec, options);
  if (described) return { ...described, events: await eventsOf(described.name, described.parameters, options.signal) };
  const name = spec.split(':', 1)[0]!;
  if (spec !== '-' && !/[/.]/.test(name) && !existsSync(spec)) {
    const names = WORKLOADS.map((w) => w.name);
    throw new UserError(`found workload '${name}', expected a trace file or ${oneOf(name, names)}`);
  }
  const events = await readTrace(spec, options);
  return { name: spec, events, parameters: {}, cpus: recordedCpus(events), time: undefined, start: 'barrier' };
}

function workloadParameters(workload: Workload, text: string, seed: number | undefined): ParameterValues {
  return parseParameters(workload, text, seed === undefined ? {} : { seed });
}
