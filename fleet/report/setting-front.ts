import { usedBytesOf } from './margin.ts';
import type { SettingResult } from './setting-result.ts';
import { isSafe } from './settings-table.ts';

/** A smaller difference is none. */
const SAME = 1.01;

/** Marks the settings that hold with a margin and that no other such one beats. The first row is the scenario as it is. */
export function withFront(rows: readonly SettingResult[]): SettingResult[] {
  const usedBytes = usedBytesOf(rows[0]!.margins);
  const usedOf = ({ margins }: SettingResult) => usedBytes(margins);
  const compared = rows.filter((row) => !row.isOfLoad && row.unreached === null && isSafe(row));
  return rows.map((row) => ({
    ...row,
    front: compared.includes(row) && !compared.some((other) => beats(other, row, usedOf)),
  }));
}

/** Whether one needs no more memory and no more time than another, and clearly less of one. */
function beats(x: SettingResult, y: SettingResult, memory: (row: SettingResult) => number): boolean {
  const time = (row: SettingResult) => row.allocatorUs + row.waitP99Us;
  const isLess = (less: number, more: number) => less * SAME < more;
  return (
    !isLess(memory(y), memory(x)) &&
    !isLess(time(y), time(x)) &&
    (isLess(memory(x), memory(y)) || isLess(time(x), time(y)))
  );
}
