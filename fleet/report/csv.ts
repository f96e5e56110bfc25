import { csvText } from '../../sim/contract/escape.ts';
import type { FleetResult } from '../study.ts';
import { isCut } from './text.ts';

/** The time line as a table: seconds from the start, /proc/meminfo, and each pool's and group's memory. Cut short it says of how many seconds it is. */
export function fleetCsv(result: FleetResult): string {
  const { samples, figures, durationUs } = result;
  const ofSeconds = isCut(result) ? [durationUs / 1e6] : [];
  const info = [...new Set(samples.flatMap(({ meminfo }) => Object.keys(meminfo)))];
  const groups = [...new Set(samples.flatMap((sample) => sample.groups.map(({ name }) => name)))];
  const header = [
    'seconds',
    ...ofSeconds.map(() => 'of_seconds'),
    ...info.map((name) => (isCount(name) ? name : `${name}_bytes`)),
    ...figures.pools.flatMap(({ name }) => [`${name}_private_bytes`, `${name}_pss_bytes`, `${name}_largest_bytes`]),
    ...groups.map((name) => `${name}_current_bytes`),
    'processes',
  ];
  const rows = samples.map((sample, i) => [
    sample.atUs / 1e6,
    ...ofSeconds,
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

/** Of /proc/meminfo: pages of hugetlb are counted, all else is memory. */
const isCount = (name: string) => name.startsWith('HugePages_');
