import type { RunDescription, RunResult } from '../run/result.ts';

/**
 * What makes two runs the same experiment: everything but the seed and the version of the simulator. The allocator with
 * all that was set is part of it, so that two allocators never share a name in any report.
 */
export function runKey(run: RunDescription): string {
  const parameters = Object.entries(run.parameters)
    .filter(([name]) => name !== 'seed')
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const workload = `${run.workload}${parameters.length > 0 ? `:${parameters.join(',')}` : ''}`;
  const pace = run.mode === 'lockstep' ? '' : `, ${run.pace}`;
  return `${workload} / ${run.allocator} / ${run.mode}, ${run.cpus} cpus${pace}, touch ${run.touch}, kernel ${run.kernel}`;
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
