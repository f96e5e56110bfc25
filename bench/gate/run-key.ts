import { WORKLOADS } from '../../workloads/index.ts';
import type { RunDescription, RunResult } from '../run/result.ts';

/** What is not said in a name. Fixed here: a name must not change when a default does. */
const UNSAID = { pace: 'asap', touch: 'full', kernel: '6.18' } as const;

/** Endings of trace files. */
const TRACE = /\.(htrace|htb)(\.(gz|zst|xz|bz2))?$/;

/**
 * What makes two runs the same experiment: everything but the seed and the version of the simulator. The allocator with
 * all that was set is part of it, so that two allocators never share a name in any report. Parameters at their defaults,
 * and what is as in UNSAID, are left out: names stay short, and the same from run to run.
 */
export function runKey(run: RunDescription): string {
  const rest = [
    run.mode,
    `${run.cpus} cpus`,
    ...(run.mode === 'lockstep' || run.pace === UNSAID.pace ? [] : [run.pace]),
    ...(run.touch === UNSAID.touch ? [] : [`touch ${run.touch}`]),
    ...(run.until === null ? [] : [`at ${run.until}`]),
    ...(run.kernel === UNSAID.kernel ? [] : [`kernel ${run.kernel}`]),
  ];
  return `${workloadName(run)} / ${run.allocator} / ${rest.join(', ')}`;
}

/** The first part of a run's name. */
export function workloadName(run: RunDescription): string {
  const parameters = Object.entries(run.parameters)
    .filter(([name, value]) => name !== 'seed' && value !== defaultOf(run.workload, name))
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  return `${run.workload.replace(TRACE, '')}${parameters.length > 0 ? `:${parameters.join(',')}` : ''}`;
}

function defaultOf(workload: string, parameter: string): number | string | undefined {
  return WORKLOADS.find((w) => w.name === workload)?.parameters.find((p) => p.name === parameter)?.default;
}

/** The results of one experiment together: its seeds. */
export function groupByRun(results: readonly RunResult[]): Map<string, RunResult[]> {
  const groups = new Map<string, RunResult[]>();
  for (const result of results) {
    const key = runKey(result.run);
    const group = groups.get(key);
    if (group) group.push(result);
    else groups.set(key, [result]);
  }
  return groups;
}
