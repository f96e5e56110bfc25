import { isWithin } from '../machine/worst-moments.ts';
import type { FleetRun } from '../run-fleet.ts';
import { type MakeSeries, ofRequests, type Series } from './series.ts';

export interface GroupFigures {
  readonly name: string;
  readonly currentBytes: Series;
  /** Without page cache: what reclaim cannot take while there is no swap. */
  readonly firmBytes: Series;
  /** … at most, between samples too. */
  readonly mostFirmBytes: number;
  readonly cacheBytes: Series;
  readonly maxBytes: number | null;
  readonly highBytes: number | null;
  readonly peakBytes: number;
  readonly events: Readonly<Record<string, number>>;
  readonly refaults: number;
  /** At samples at most: page cache that has to be written first, and the kernel's own memory at the end. */
  readonly dirtyBytes: number;
  readonly kernelBytes: number;
}

export function groupFigures(run: FleetRun, name: string, series: MakeSeries): GroupFigures {
  const { samples, worst } = run;
  const own = samples.map(({ groups }) => groups.find((group) => group.name === name)!);
  const cache = own.map(({ stat }) => (stat['file'] ?? 0) - (stat['shmem'] ?? 0));
  const last = own.at(-1)!;
  const requests = ofRequests(run, ({ group }) => isWithin(group, name));
  // It grows with the page cache, and reclaim takes it with that: what rises by it does not climb.
  const within = requests.within.map((bytes, i) => bytes + (own[i]!.stat['slab_reclaimable'] ?? 0));
  return {
    name,
    currentBytes: series(
      name,
      own.map(({ currentBytes }) => currentBytes),
    ),
    firmBytes: series(
      `${name} without cache`,
      own.map(({ currentBytes }, i) => Math.max(0, currentBytes - cache[i]!)),
      { ...requests, within },
    ),
    mostFirmBytes: Math.min(last.maxBytes ?? Infinity, worst.firmBytes.get(name) ?? 0),
    cacheBytes: series(`cache of ${name}`, cache),
    maxBytes: last.maxBytes,
    highBytes: last.highBytes,
    peakBytes: last.peakBytes,
    events: last.events,
    refaults: last.stat['workingset_refault_file'] ?? 0,
    dirtyBytes: Math.max(...own.map(({ stat }) => stat['file_dirty'] ?? 0)),
    kernelBytes: last.stat['kernel'] ?? 0,
  };
}
