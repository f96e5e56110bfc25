import { csvText } from '../../sim/contract/escape.ts';
import type { FleetResult } from '../study.ts';

/** The time line as a table: seconds from the start, /proc/meminfo in bytes, and each process's and group's memory. */
export function fleetCsv({ samples, figures }: FleetResult): string {
  const info = [...new Set(samples.flatMap(({ meminfo }) => Object.keys(meminfo)))];
  const groups = [...new Set(samples.flatMap((sample) => sample.groups.map(({ name }) => name)))];
  const header = [
    'seconds',
    ...info,
    ...figures.pools.flatMap(({ name }) => [`${name}_private`, `${name}_pss`, `${name}_largest`]),
    ...groups.map((name) => `${name}_current`),
    'processes',
  ];
  const rows = samples.map((sample, i) => [
    sample.atUs / 1e6,
    ...info.map((name) => sample.meminfo[name] ?? 0),
    ...figures.pools.flatMap((pool) => [
      pool.privateBytes.values[i]!,
      pool.pssBytes.values[i]!,
      pool.largestBytes.values[i]!,
    ]),
    ...groups.map((name) => sample.groups.find((group) => group.name === name)?.currentBytes ?? 0),
    sample.processes.length,
  ]);
  return csvText(header, rows);
}
