import { existsSync } from 'node:fs';
import { UserError } from '../sim/contract/assert.ts';
import type { EventBuffer } from '../sim/contract/event.ts';
import { createRegistry } from '../sim/contract/registry.ts';
import type { Start } from '../sim/contract/start.ts';
import { allocTest } from './generators/alloc-test.ts';
import { fragmenter } from './generators/fragmenter.ts';
import { lanczos32t } from './generators/lanczos-32t.ts';
import { lanczosIm6 } from './generators/lanczos-im6.ts';
import { larson } from './generators/larson.ts';
import { phpConcat } from './generators/php-concat.ts';
import { phpPool } from './generators/php-pool.ts';
import { phpRange } from './generators/php-range.ts';
import { phpRepeat } from './generators/php-repeat.ts';
import { producerConsumer } from './generators/producer-consumer.ts';
import { rows } from './generators/rows.ts';
import { server } from './generators/server.ts';
import { spike } from './generators/spike.ts';
import { stress } from './generators/stress.ts';
import { xmallocTest } from './generators/xmalloc-test.ts';
import { type ReadOptions, readTrace } from './trace/reader.ts';
import { oneOf, type ParameterValues, parseParameters, startOf, type Workload, type WorkloadTime } from './workload.ts';

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
  /** Processors of the machine that a built-in workload is meant for. */
  readonly cpus: number | undefined;
  /** How its time passes by default; undefined for a trace. */
  readonly time: WorkloadTime | undefined;
  /** How its threads begin; the threads of a trace wait for each other, as in the ground-truth replay. */
  readonly start: Start;
}

export interface WorkloadOptions extends ReadOptions {
  /** For a built-in workload whose parameters do not name a seed. */
  readonly seed?: number;
}

/** Whether `given` names a built-in workload, and no trace. */
export function isBuiltIn(given: string): boolean {
  return WORKLOADS.some((w) => w.name === given.split(':', 1)[0]);
}

/** `name`, `name:parameter=value,…`, the path of a trace, or `-`. */
export async function resolveWorkload(given: string, options: WorkloadOptions = {}): Promise<LoadedWorkload> {
  const spec = given === '' ? '-' : given; // yargs hands the positional argument `-` over as an empty text
  const colon = spec.indexOf(':');
  const name = colon < 0 ? spec : spec.slice(0, colon);
  const workload = WORKLOADS.find((w) => w.name === name);
  if (workload) {
    const parameters = workloadParameters(workload, colon < 0 ? '' : spec.slice(colon + 1), options.seed);
    const { time } = workload;
    const start = startOf(workload, parameters);
    return { name, events: workload.generate(parameters), parameters, cpus: workload.cpus(parameters), time, start };
  }
  if (spec !== '-' && !/[/.]/.test(name) && !existsSync(spec)) {
    const names = WORKLOADS.map((w) => w.name);
    throw new UserError(`found workload '${name}', expected a trace file or ${oneOf(name, names)}`);
  }
  const events = await readTrace(spec, options);
  return { name: spec, events, parameters: {}, cpus: undefined, time: undefined, start: 'barrier' };
}

function workloadParameters(workload: Workload, text: string, seed: number | undefined): ParameterValues {
  return parseParameters(workload, text, seed === undefined ? {} : { seed });
}
