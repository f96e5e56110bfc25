import { type MemCgroup, NO_LIMIT } from '../../kernel/mem-cgroup.ts';
import type { MachineRun } from '../../script/machine-run.ts';
import { memoryStatFile } from '../../script/sample.ts';
import { swapOf } from '../proc/machine-files.ts';
import type { MetricFamily, MetricPoint } from './exposition.ts';

/**
 * What the kubelet and `kubectl top` call used: memory.current without the cache on the inactive list. The cache on the active one,
 * shared memory and the kernel's memory are in it.
 */
export function workingSetBytes(run: MachineRun, group: MemCgroup): number {
  return Math.max(0, group.usage * 4096 - memoryStatFile(run, group)['inactive_file']!);
}

type Figure = (run: MachineRun, group: MemCgroup) => number;
const stat =
  (name: string): Figure =>
  (run, group) =>
    memoryStatFile(run, group)[name]!;

const FIGURES: readonly (readonly [name: string, type: 'gauge' | 'counter', help: string, figure: Figure])[] = [
  ['container_memory_cache', 'gauge', 'Number of bytes of page cache memory.', stat('file')],
  ['container_memory_failcnt', 'counter', 'Number of memory usage hits limits', (_run, group) => group.failcnt],
  ['container_memory_kernel_usage', 'gauge', 'Size of kernel memory allocated in bytes.', stat('kernel')],
  ['container_memory_mapped_file', 'gauge', 'Size of memory mapped files in bytes.', stat('file_mapped')],
  [
    'container_memory_max_usage_bytes',
    'gauge',
    'Maximum memory usage recorded in bytes',
    (_run, group) => group.peak * 4096,
  ],
  ['container_memory_rss', 'gauge', 'Size of RSS in bytes.', stat('anon')],
  ['container_memory_swap', 'gauge', 'Container swap usage in bytes.', (_run, group) => swapOf(group) * 4096],
  ['container_memory_total_active_file_bytes', 'gauge', 'Current total active file in bytes.', stat('active_file')],
  [
    'container_memory_total_inactive_file_bytes',
    'gauge',
    'Current total inactive file in bytes.',
    stat('inactive_file'),
  ],
  [
    'container_memory_usage_bytes',
    'gauge',
    'Current memory usage in bytes, including all memory regardless of when it was accessed',
    (_run, group) => group.usage * 4096,
  ],
  ['container_memory_working_set_bytes', 'gauge', 'Current working set in bytes.', workingSetBytes],
  [
    'container_oom_events_total',
    'counter',
    'Count of out of memory events observed for the container',
    (_run, group) => group.events['oom_kill'] ?? 0,
  ],
  [
    'container_spec_memory_limit_bytes',
    'gauge',
    'Memory limit for the container.',
    (_run, group) => (group.max === NO_LIMIT ? 0 : group.max * 4096),
  ],
];

/** What cadvisor says of each group: one container a group, by its path. */
export function cadvisorFamilies(run: MachineRun): MetricFamily[] {
  const groups = [...run.groups.values()];
  const labelsOf = (group: MemCgroup) => ({ id: `/${group.name}`, name: group.name });
  const families: MetricFamily[] = FIGURES.map(([name, type, help, figure]) => ({
    name,
    type,
    help,
    points: groups.map((group) => ({ labels: labelsOf(group), value: figure(run, group) })),
  }));
  const failures: MetricPoint[] = groups.flatMap((group) =>
    ['pgfault', 'pgmajfault'].flatMap((event) => [
      {
        labels: { failure_type: event, ...labelsOf(group), scope: 'container' },
        value: group.stat[event] ?? 0,
      },
      {
        labels: { failure_type: event, ...labelsOf(group), scope: 'hierarchy' },
        value: memoryStatFile(run, group)[event]!,
      },
    ]),
  );
  const own: MetricFamily = {
    name: 'container_memory_failures_total',
    type: 'counter',
    help: 'Cumulative count of memory allocation failures.',
    points: failures,
  };
  return [...families, own].filter(({ points }) => points.length > 0).sort((a, b) => (a.name < b.name ? -1 : 1));
}
