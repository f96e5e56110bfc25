import { type Margin, marginLike } from './margin.ts';
import type { SettingResult } from './setting-result.ts';
import { isOther, isSafe } from './settings-table.ts';

/** A smaller difference is none. */
const SAME = 1.01;

/** Marks the settings that hold with a margin and that no other such one beats. The first row is the scenario as it is. */
export function withFront(rows: readonly SettingResult[]): SettingResult[] {
  const like = marginLike(rows[0]!.margins);
  const marginOf = ({ margins }: SettingResult) => like(margins);
  const compared = rows.filter((row) => !isOther(row) && row.unreached === null && isSafe(row));
  return rows.map((row) => ({
    ...row,
    front:
      rows.filter((one) => !isOther(one)).length > 1 &&
      compared.includes(row) &&
      !compared.some((other) => beats(other, row, marginOf)),
  }));
}

/** Whether one needs no more memory and no more time than another, and clearly less of one. */
function beats(x: SettingResult, y: SettingResult, marginOf: (row: SettingResult) => Margin): boolean {
  const time = (row: SettingResult) => row.allocatorUs + row.waitP99Us;
  const isFaster = (one: SettingResult, other: SettingResult) => isLess(time(one), time(other));
  const isSmaller = (one: SettingResult, other: SettingResult) => needsLess(marginOf(one), marginOf(other));
  return !isSmaller(y, x) && !isFaster(y, x) && (isSmaller(x, y) || isFaster(x, y));
}

const isLess = (less: number, more: number) => less * SAME < more;

/** Of the same limit: where most of it is used, what is left tells more than what is used. */
const needsLess = (x: Margin, y: Margin) =>
  isLess(x.usedBytes, y.usedBytes) || (x.usedBytes < y.usedBytes && isLess(y.leftBytes, x.leftBytes));
