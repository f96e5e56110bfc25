import { bytes, duration, percent } from '../../sim/contract/format.ts';
import { durationText } from '../scenario/quantities.ts';
import type { SettingResult } from './setting-result.ts';

/** Settings beside each other for people: a row each, the first of them the scenario as it is. */
export interface SettingsTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the columns are. */
  readonly legend: string;
}

export function tableOfSettings(settings: readonly SettingResult[]): SettingsTable {
  const base = settings[0]!;
  const hasPools = settings.some((row) => row.heapPeakBytes > 0);
  const waits = settings.some((row) => row.waitP99Us > 0);
  const head = [
    '',
    'used',
    '',
    ...(hasPools ? ['workers', 'largest', 'in request', 'VSZ', 'allocator'] : ['available']),
    ...(waits ? ['wait p99'] : []),
    'outcome',
    'front',
  ];
  const rows = settings.map((row) => [
    row.name,
    bytes(row.usedBytes),
    row === base ? '' : change(row.usedBytes, base.usedBytes),
    ...(hasPools
      ? [
          bytes(row.workersBytes),
          bytes(row.largestBytes),
          bytes(row.heapPeakBytes),
          bytes(row.sizeBytes),
          duration(row.allocatorUs * 1e3),
        ]
      : [bytes(row.lowestAvailableBytes)]),
    ...(waits ? [durationText(row.waitP99Us)] : []),
    outcome(row),
    row.front ? 'best' : '',
  ]);
  const pools = hasPools
    ? 'workers: their private memory at most; largest: RSS of the largest at the end; in request: a heap at most; allocator: its part of a request on average, without waiting for locks; '
    : '';
  const waiting = waits ? 'wait p99: for a worker, of a hundred requests the one that waits longest; ' : '';
  return {
    head,
    rows,
    legend: `used: of the machine at most (MemTotal without MemAvailable); ${pools}${waiting}outcome: holds, climbs to a limit that it does not reach within this time, or who was killed; best: no other one needs less memory and less time.`,
  };
}

function outcome({ kills, severity }: SettingResult): string {
  if (kills > 0) return `${kills} killed`;
  return severity === 'fails' ? 'refused' : severity === 'ends' ? 'climbs' : 'holds';
}

function change(value: number, base: number): string {
  if (base === 0) return '';
  const share = value / base - 1;
  return Math.abs(share) < 0.005 ? '=' : `${share > 0 ? '+' : ''}${percent(share)}`;
}
