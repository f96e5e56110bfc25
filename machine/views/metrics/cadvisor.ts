import { type MemCgroup, NO_LIMIT, type Psi } from '../../kernel/mem-cgroup.ts';
import { meminfo } from '../../kernel/meminfo.ts';
import type { MachineRun } from '../../script/machine-run.ts';
import { memoryStatFile } from '../../script/sample.ts';
import type { MetricFamily, MetricPoint } from './exposition.ts';

/** What cadvisor finds out about a group of cgroup v2: a "container" whose name is its path. */
interface Container {
  readonly id: string;
  readonly stat: Readonly<Record<string, number>>;
  readonly usage: number;
  readonly peak: number;
  readonly swap: number;
  readonly ooms: number;
  readonly psi: Psi;
  /** memory.max, memory.swap.max and memory.min; 0 where there is no limit. */
  readonly limits: readonly [limit: number, swap: number, reservation: number];
}

const limitBytes = (pages: number): number => (pages === NO_LIMIT ? 0 : pages * 4096);

/** Lines of the kernel's log that name a victim of the group. */
const oomsOf = ({ k }: MachineRun, id: string): number =>
  k.kmsg.filter((line) => line.includes('oom-kill:') && line.includes(`task_memcg=${id},`)).length;

function containerOf(run: MachineRun, group: MemCgroup): Container {
  return {
    id: `/${group.name}`,
    stat: memoryStatFile(run, group),
    usage: group.usage * 4096,
    peak: group.peak * 4096,
    swap: group.swapUsage * 4096,
    ooms: oomsOf(run, `/${group.name}`),
    psi: group.psi,
    limits: [limitBytes(group.max), limitBytes(group.swapMax), group.min * 4096],
  };
}

/** The root has no memory.current: its usage is the anonymous memory and the cache, its limits are what the machine has. */
function rootContainer(run: MachineRun): Container {
  const stat = memoryStatFile(run, run.k.root);
  const { MemTotal, SwapTotal, SwapFree } = meminfo(run.k) as Record<string, number>;
  return {
    id: '/',
    stat,
    usage: stat['anon']! + stat['file']!,
    peak: 0,
    swap: (SwapTotal! - SwapFree!) * 1024,
    ooms: oomsOf(run, '/'),
    psi: run.k.psi,
    limits: [MemTotal! * 1024, SwapTotal! * 1024, 0],
  };
}

/** What the kubelet and `kubectl top` call used: memory.current without the cache on the inactive list. */
const workingSet = ({ usage, stat }: Container): number => Math.max(0, usage - stat['inactive_file']!);

const stat =
  (name: string) =>
  (container: Container): number =>
    container.stat[name]!;

type Figure = readonly [
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  figure: (container: Container) => number,
];

const USAGE: readonly Figure[] = [
  ['container_memory_cache', 'gauge', 'Number of bytes of page cache memory.', stat('file')],
  // Not filled from cgroup v2: neither failcnt nor kmem.usage_in_bytes is there.
  ['container_memory_failcnt', 'counter', 'Number of memory usage hits limits', () => 0],
  ['container_memory_kernel_usage', 'gauge', 'Size of kernel memory allocated in bytes.', () => 0],
  ['container_memory_mapped_file', 'gauge', 'Size of memory mapped files in bytes.', stat('file_mapped')],
  ['container_memory_max_usage_bytes', 'gauge', 'Maximum memory usage recorded in bytes', ({ peak }) => peak],
  ['container_memory_rss', 'gauge', 'Size of RSS in bytes.', stat('anon')],
  ['container_memory_swap', 'gauge', 'Container swap usage in bytes.', ({ swap }) => swap],
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
    ({ usage }) => usage,
  ],
  ['container_memory_working_set_bytes', 'gauge', 'Current working set in bytes.', workingSet],
  [
    'container_oom_events_total',
    'counter',
    'Count of out of memory events observed for the container',
    ({ ooms }) => ooms,
  ],
  [
    'container_pressure_memory_stalled_seconds_total',
    'counter',
    'Total time duration no tasks in the container could make progress due to memory congestion.',
    ({ psi }) => Math.round(psi.fullUs) / 1e6,
  ],
  [
    'container_pressure_memory_waiting_seconds_total',
    'counter',
    'Total time duration tasks in the container have waited due to memory congestion.',
    ({ psi }) => Math.round(psi.someUs) / 1e6,
  ],
];

const SPECIFIED: readonly Figure[] = [
  ['container_spec_memory_limit_bytes', 'gauge', 'Memory limit for the container.', ({ limits }) => limits[0]],
  [
    'container_spec_memory_reservation_limit_bytes',
    'gauge',
    'Memory reservation limit for the container.',
    ({ limits }) => limits[2],
  ],
  [
    'container_spec_memory_swap_limit_bytes',
    'gauge',
    'Memory swap limit for the container.',
    ({ limits }) => limits[1],
  ],
];

/** What cadvisor 0.53 says of the root and each group, by their paths, dated by virtual time; of what was set without a date. */
export function cadvisorFamilies(run: MachineRun): MetricFamily[] {
  const seconds = Math.round(run.k.nowUs / 1000) / 1000;
  const containers = [rootContainer(run), ...[...run.groups.values()].map((group) => containerOf(run, group))];
  containers.sort((a, b) => (a.id < b.id ? -1 : 1));
  const dated = (labels: MetricPoint['labels'], value: number): MetricPoint => ({ labels, value, seconds });
  const failures: MetricFamily = {
    name: 'container_memory_failures_total',
    type: 'counter',
    help: 'Cumulative count of memory allocation failures.',
    // memory.stat of cgroup v2 is that of the hierarchy: both scopes say the same.
    points: ['pgfault', 'pgmajfault'].flatMap((event) =>
      containers.flatMap((container) =>
        ['container', 'hierarchy'].map((scope) =>
          dated({ failure_type: event, id: container.id, scope }, container.stat[event]!),
        ),
      ),
    ),
  };
  const families = [
    ...USAGE.map(
      ([name, type, help, figure]): MetricFamily => ({
        name,
        type,
        help,
        points: containers.map((container) => dated({ id: container.id }, figure(container))),
      }),
    ),
    ...SPECIFIED.map(
      ([name, type, help, figure]): MetricFamily => ({
        name,
        type,
        help,
        points: containers.map((container) => ({ labels: { id: container.id }, value: figure(container) })),
      }),
    ),
    failures,
  ];
  return families.sort((a, b) => (a.name < b.name ? -1 : 1));
}
