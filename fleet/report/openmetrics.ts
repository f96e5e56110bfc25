import type { FleetSample } from '../machine/sample.ts';
import type { FleetResult } from '../study.ts';

interface Point {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly of: (sample: FleetSample) => readonly Point[];
}

const one = (value: number): Point[] => [{ labels: {}, value }];

/** `Active(anon)` → `node_memory_Active_anon_bytes`, as node_exporter has it. */
function nodeName(name: string): string {
  const plain = name.replace(/\((.*)\)/, '_$1');
  return /^HugePages_/.test(name) ? `node_memory_${plain}` : `node_memory_${plain}_bytes`;
}

function families(samples: readonly FleetSample[]): Family[] {
  const info = Object.keys(samples[0]!.meminfo).map(
    (name): Family => ({
      name: nodeName(name),
      type: 'gauge',
      help: `Memory information field ${nodeName(name).slice(12)}.`,
      of: (s) => one(s.meminfo[name] ?? 0),
    }),
  );
  const counters = Object.keys(samples[0]!.counters).map(
    (name): Family => ({
      name: `node_vmstat_${name}`,
      type: 'gauge',
      help: `/proc/vmstat information field ${name}.`,
      of: (s) => one(s.counters[name] ?? 0),
    }),
  );
  const process = (
    name: string,
    help: string,
    pick: (p: FleetSample['processes'][number]) => Readonly<Record<string, number>>,
  ): Family => ({
    name,
    type: 'gauge',
    help,
    of: (s) =>
      s.processes.flatMap((p) =>
        Object.entries(pick(p)).map(([memtype, value]) => ({
          labels: { groupname: p.name, ...(memtype && { memtype }) },
          value,
        })),
      ),
  });
  const group = (name: string, help: string, pick: (g: FleetSample['groups'][number]) => number | null): Family => ({
    name,
    type: 'gauge',
    help,
    of: (s) => s.groups.flatMap((g) => (pick(g) === null ? [] : [{ labels: { id: `/${g.name}` }, value: pick(g)! }])),
  });
  return [
    ...info,
    ...counters,
    process('namedprocess_namegroup_memory_bytes', 'Memory of the process.', (p) => ({
      resident: p.anonBytes + p.fileBytes + p.shmemBytes,
      virtual: p.sizeBytes,
      swapped: p.swapBytes,
      proportionalResident: p.pssBytes,
    })),
    process('process_resident_anon_bytes', 'RssAnon of /proc/PID/status.', (p) => ({ '': p.anonBytes })),
    process('process_resident_file_bytes', 'RssFile of /proc/PID/status.', (p) => ({ '': p.fileBytes })),
    process('process_resident_shmem_bytes', 'RssShmem of /proc/PID/status.', (p) => ({ '': p.shmemBytes })),
    {
      name: 'namedprocess_namegroup_num_procs',
      type: 'gauge',
      help: 'Processes.',
      of: (s) => s.processes.map((p) => ({ labels: { groupname: p.name }, value: 1 })),
    },
    group('container_memory_usage_bytes', 'memory.current.', (g) => g.currentBytes),
    group('container_memory_working_set_bytes', 'memory.current without inactive_file.', (g) =>
      Math.max(0, g.currentBytes - (g.stat['inactive_file'] ?? 0)),
    ),
    group('container_memory_rss', 'anon of memory.stat.', (g) => g.stat['anon'] ?? 0),
    group('container_memory_cache', 'file of memory.stat.', (g) => g.stat['file'] ?? 0),
    group('container_spec_memory_limit_bytes', 'memory.max.', (g) => g.maxBytes),
  ];
}

/**
 * The time line in OpenMetrics 1.0 under the names of node_exporter, process-exporter and cAdvisor. Times are seconds from the start of the
 * scenario, or from `startSeconds` of the calendar.
 */
export function fleetOpenMetrics(result: FleetResult, startSeconds = 0): string {
  const { samples, scenario } = result;
  const lines: string[] = [];
  for (const { name, type, help, of } of [...families(samples), ...cutFamily(result)]) {
    const points = samples.flatMap((sample) =>
      of(sample).map(({ labels, value }) => ({
        key: labelText({ job: 'allocsim', instance: scenario, ...labels }),
        value,
        atUs: sample.atUs,
      })),
    );
    if (points.length === 0) continue;
    lines.push(`# TYPE ${name} ${type}`, `# HELP ${name} ${help}`);
    // All points of one series together, as the format wants them.
    const bySeries = new Map<string, string[]>();
    for (const { key, value, atUs } of points) {
      const own = bySeries.get(key) ?? [];
      bySeries.set(key, own);
      own.push(`${name}${key} ${value} ${(startSeconds + atUs / 1e6).toFixed(3)}`);
    }
    for (const own of bySeries.values()) lines.push(...own);
  }
  return `${lines.join('\n')}\n# EOF\n`;
}

/** Of a run that ended before its scenario. */
const cutFamily = ({ untilUs, durationUs }: FleetResult): Family[] =>
  untilUs < durationUs
    ? [
        {
          name: 'allocsim_scenario_duration_seconds',
          type: 'gauge',
          help: 'Length of the scenario, of which this is the beginning.',
          of: () => one(durationUs / 1e6),
        },
      ]
    : [];

function labelText(labels: Readonly<Record<string, string>>): string {
  const text = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`,
  );
  return `{${text.join(',')}}`;
}
