import type { Metric } from './metric.ts';

const figure = (name: string, unit: Metric['unit'], about: string, of: Metric['of']): Metric => ({
  name,
  unit,
  better: 'lower',
  about,
  deterministic: true,
  of,
});

export const COST_METRICS: readonly Metric[] = [
  figure('faults', 'count', 'minor page faults', (r) => r.summary.faults),
  figure('syscalls', 'count', 'memory system calls', (r) => {
    const { futex: _, ...memory } = r.summary.syscalls;
    return Object.values(memory).reduce((sum, n) => sum + n, 0);
  }),
  figure('futexCalls', 'count', 'futex system calls; none in lockstep', (r) =>
    r.run.mode === 'lockstep' ? null : r.summary.syscalls.futex,
  ),
  figure('lockWaitNs', 'ns', 'time that threads waited for locks; none in lockstep', (r) => r.summary.waitNs),
  figure('virtualNs', 'ns', 'length of the run in virtual time; none in lockstep', (r) =>
    r.run.mode === 'lockstep' ? null : r.summary.virtualNs,
  ),
  figure('cpuNs', 'ns', 'work done by all threads; none in lockstep', (r) => r.summary.cpuNs),
  figure('mallocP99Ns', 'ns', '99th percentile of an allocation', (r) => r.summary.latencyNs?.malloc.p99 ?? null),
  figure('freeP99Ns', 'ns', '99th percentile of a free', (r) => r.summary.latencyNs?.free.p99 ?? null),
  figure('failedAllocations', 'count', 'allocations that returned NULL', (r) => r.summary.failedAllocations),
];
