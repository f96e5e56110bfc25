/** A run over time: a row after each command, for a spreadsheet or a Prometheus. */

import { csvText } from '../../sim/contract/escape.ts';
import type { MetricFamily, MetricPoint } from './metrics/exposition.ts';
import type { History } from './words/history.ts';
import { type Reading, rssKb } from './words/moment.ts';

const MEMINFO = [
  'MemTotal',
  'MemFree',
  'MemAvailable',
  'Buffers',
  'Cached',
  'SwapCached',
  'Active(anon)',
  'Inactive(anon)',
  'Active(file)',
  'Inactive(file)',
  'Unevictable',
  'Mlocked',
  'SwapTotal',
  'SwapFree',
  'Dirty',
  'Writeback',
  'AnonPages',
  'Mapped',
  'Shmem',
  'Slab',
  'SReclaimable',
  'SUnreclaim',
  'KernelStack',
  'PageTables',
  'Committed_AS',
  'AnonHugePages',
];
const EVENTS = [
  'pgsteal_kswapd',
  'pgsteal_direct',
  'pglazyfreed',
  'workingset_refault_file',
  'workingset_refault_anon',
  'pswpin',
  'pswpout',
  'oom_kill',
  'pgmajfault',
];

/** Every process and group that there ever was, in the order of their beginning. */
function namesOf(history: History): { processes: string[]; groups: string[] } {
  const processes = new Set<string>();
  const groups = new Set<string>();
  for (const reading of history.readings) {
    for (const { name } of reading.processes) processes.add(name);
    for (const { name } of reading.groups) groups.add(name);
  }
  return { processes: [...processes], groups: [...groups] };
}

const processOf = (reading: Reading, name: string) => reading.processes.find((process) => process.name === name);
const groupOf = (reading: Reading, name: string) => reading.groups.find((group) => group.name === name);

/** The label of a sample, where the reading is one. */
const labelOf = ({ command }: Reading): string => /^m?sample (\S+)/.exec(command)?.[1] ?? '';

/** One row a command: kB, events since the start; empty where a process or group is not there. */
export function timelineCsv(history: History): string {
  const { processes, groups } = namesOf(history);
  const head = [
    'step',
    'seconds',
    'command',
    'label',
    ...MEMINFO.map((name) => `${name}_kb`),
    ...EVENTS,
    ...processes.flatMap((name) => [`rss_kb:${name}`, `vsz_kb:${name}`]),
    ...groups.map((name) => `current_kb:${name}`),
  ];
  const rows = history.readings.map((reading) => [
    String(reading.step),
    (reading.atUs / 1e6).toFixed(6),
    reading.command,
    labelOf(reading),
    ...MEMINFO.map((name) => String(reading.meminfo[name] ?? 0)),
    ...EVENTS.map((name) => String(reading.vmstat[name] ?? 0)),
    ...processes.flatMap((name) => {
      const own = processOf(reading, name);
      return own ? [String(rssKb(own)), String(own.vszKb)] : ['', ''];
    }),
    ...groups.map((name) => {
      const own = groupOf(reading, name);
      return own ? String(own.currentBytes / 1024) : '';
    }),
  ]);
  return csvText(head, rows);
}

/**
 * The same under the names of node_exporter, cadvisor and process-exporter, dated by virtual time; of commands at one moment the last
 * counts.
 */
export function timelineFamilies(history: History): MetricFamily[] {
  const { processes, groups } = namesOf(history);
  const readings = history.readings.filter((reading, i) => seconds(reading) !== seconds(history.readings[i + 1]));
  const series = (labels: MetricPoint['labels'], of: (reading: Reading) => number | undefined): MetricPoint[] =>
    readings.flatMap((reading) => {
      const value = of(reading);
      return value === undefined ? [] : [{ labels, value, seconds: seconds(reading)! }];
    });
  const field = (name: string) => name.replace(/\((.*)\)/, '_$1');
  const memory = MEMINFO.map(
    (name): MetricFamily => ({
      name: `node_memory_${field(name)}_bytes`,
      type: 'gauge',
      help: `Memory information field ${field(name)}_bytes.`,
      points: series({}, ({ meminfo }) => (meminfo[name] ?? 0) * 1024),
    }),
  );
  const events = EVENTS.map(
    (name): MetricFamily => ({
      name: `node_vmstat_${name}`,
      type: 'unknown',
      help: `/proc/vmstat information field ${name}.`,
      points: series({}, ({ vmstat }) => vmstat[name] ?? 0),
    }),
  );
  const memtypes: readonly (readonly [string, (reading: Reading, name: string) => number | undefined])[] = [
    ['resident', (reading, name) => mapped(processOf(reading, name), (own) => rssKb(own) * 1024)],
    ['virtual', (reading, name) => mapped(processOf(reading, name), (own) => own.vszKb * 1024)],
    ['swapped', (reading, name) => mapped(processOf(reading, name), (own) => own.swapKb * 1024)],
  ];
  return [
    ...memory,
    ...events,
    {
      name: 'namedprocess_namegroup_memory_bytes',
      type: 'gauge' as const,
      help: 'number of bytes of memory in use',
      points: processes.flatMap((name) =>
        memtypes.flatMap(([memtype, of]) => series({ groupname: name, memtype }, (reading) => of(reading, name))),
      ),
    },
    {
      name: 'container_memory_usage_bytes',
      type: 'gauge' as const,
      help: 'Current memory usage in bytes, including all memory regardless of when it was accessed',
      points: groups.flatMap((name) =>
        series({ id: `/${name}` }, (reading) => mapped(groupOf(reading, name), (own) => own.currentBytes)),
      ),
    },
  ].filter(({ points }) => points.length > 0);
}

const mapped = <T>(value: T | undefined, of: (value: T) => number): number | undefined =>
  value === undefined ? undefined : of(value);

/** To the millisecond, which is all that a Prometheus keeps. */
const seconds = (reading: Reading | undefined): number | undefined => reading && Math.round(reading.atUs / 1000) / 1000;
