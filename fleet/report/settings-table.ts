import { bytes, count, duration, percent } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import { HELD_UP } from './group-finding.ts';
import { isBarely, leftText, limitText, MARGIN_RULE, type Margin, marginLike, tightest } from './margin.ts';
import type { SettingResult } from './setting-result.ts';

/** Settings beside each other for people: a row each, the first of them the scenario as it is. */
export interface SettingsTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** On single rows. */
  readonly notes: readonly string[];
  /** What the columns are. */
  readonly legend: string;
}

export function tableOfSettings(settings: readonly SettingResult[]): SettingsTable {
  const base = settings[0]!;
  const { group } = tightest(base.margins);
  const marginOf = marginLike(base.margins);
  const usedOf = ({ margins }: SettingResult) => marginOf(margins).usedBytes;
  const hasPools = settings.some((row) => row.heapPeakBytes > 0);
  const waits = settings.some((row) => row.waitMaxUs > 0);
  const readsAgain = settings.some((row) => row.readAgainBytes >= READ_AGAIN_BYTES);
  const head = [
    '',
    'outcome',
    'left',
    'used',
    '',
    ...(hasPools ? ['workers', 'largest', 'in request', 'VSZ', 'allocator'] : []),
    ...(waits ? ['wait p99', 'wait most'] : []),
    ...(readsAgain ? ['read again'] : []),
    'front',
  ];
  const rowOf = (row: SettingResult) => [
    row.name,
    outcome(row),
    row.kills > 0 ? 'none' : `${leftText(tightest(row.margins))}${othersText(tightest(row.margins), group)}`,
    bytes(usedOf(row)),
    row === base ? '' : change(usedOf(row), usedOf(base)),
    ...(hasPools
      ? [
          bytes(row.workersBytes),
          bytes(row.largestBytes),
          bytes(row.heapPeakBytes),
          bytes(row.sizeBytes),
          duration(row.allocatorUs * 1e3),
        ]
      : []),
    ...(waits ? [durationText(row.waitP99Us), durationText(row.waitMaxUs)] : []),
    ...(readsAgain ? [bytes(row.readAgainBytes)] : []),
    isOther(row) ? (row.isOfLoad ? 'other load' : 'other limit') : row.front ? 'best' : '',
  ];
  // How things are set up first, then how much there may be, and what else may be asked of it.
  const rows = [
    ...settings.filter((row) => !isOther(row)),
    ...settings.filter((row) => row.isOfLimit && !row.isOfLoad),
    ...settings.filter((row) => row.isOfLoad),
  ].map(rowOf);
  return {
    head,
    rows,
    // Who is killed in the first one is told above it.
    notes: [...settings.flatMap((row) => noteOf(row === base ? { ...row, killed: null } : row)), ...sameText(settings)],
    legend: legendOf(settings, { group, hasPools, waits, readsAgain }),
  };
}

/** Less that was read again is not worth a column. */
const READ_AGAIN_BYTES = 2 ** 20;

const othersText = (margin: Margin, group: string | undefined) =>
  margin.group === group ? '' : ` of ${limitText(margin)}`;

interface Columns {
  readonly group: string | undefined;
  readonly hasPools: boolean;
  readonly waits: boolean;
  readonly readsAgain: boolean;
}

function legendOf(settings: readonly SettingResult[], { group, hasPools, waits, readsAgain }: Columns): string {
  const used = group === undefined ? 'MemTotal without MemAvailable' : `${group} without its page cache`;
  return [
    `used: at most (${used})`,
    `left: of ${limitText({ group })} at the worst moment`,
    ...(hasPools
      ? [
          'workers: their private memory at most, between samples too',
          'largest: RSS of the largest at the end, with the shared memory and files that it looks at',
          'in request: a heap at most',
          'VSZ: address space of the largest at the end',
          'allocator: its part of a request on average, without waiting for locks',
        ]
      : []),
    ...(waits
      ? [
          `wait: for a free worker; p99: of a hundred requests the one that waits longest${poolsText(settings, 'waitP99Pool')}; most: of all${poolsText(settings, 'waitMaxPool')}`,
        ]
      : []),
    ...(readsAgain
      ? ['read again: pages of files that had been evicted, and swapped ones, which had to come from the disk again']
      : []),
    ...outcomeLegend(settings),
    ...(settings.some(({ front }) => front)
      ? [
          `best: of those that hold, not barely, and in which nothing climbs near a limit, no other one needs less memory${hasPools ? ' and less time (allocator and wait)' : ''}, when differences of 1 % count as none, in memory of what is used and of what is left${settings.filter(({ front }) => front).length > 1 ? '; several are best where none is better in all of it' : ''}`,
        ]
      : []),
    ...(settings.some(({ isOfLimit }) => isOfLimit)
      ? [
          `other limit: a limit, memory or swap is another, so it saves nothing and is not compared: see what is left${waits ? ', the wait' : ''}${readsAgain ? ' and what is read again' : ''}`,
        ]
      : []),
    ...(settings.some(({ isOfLoad }) => isOfLoad)
      ? ['other load: more or less is asked of the machine, so it is not compared']
      : []),
  ]
    .join('; ')
    .concat('.');
}

/** Of several pools the one that a wait is of, by row where it is not the same in all. */
function poolsText(settings: readonly SettingResult[], key: 'waitP99Pool' | 'waitMaxPool'): string {
  const rows = settings.flatMap(({ name, [key]: pool }) => (pool === null ? [] : [{ name, pool }]));
  const pools = [...new Set(rows.map(({ pool }) => pool))];
  if (pools.length === 0) return '';
  if (pools.length === 1) return `, in ${pools[0]}, the pool in which that is most`;
  const each = pools.map((pool) => {
    const names = rows.filter((row) => row.pool === pool).map(({ name }) => name);
    return `${pool} (${names.join(', ')})`;
  });
  return `, in the pool in which that is most: ${each.join('; ')}`;
}

/** Of the outcomes that there are. */
function outcomeLegend(settings: readonly SettingResult[]): string[] {
  const found = new Set(settings.map(outcome));
  const isFound = (of: (text: string) => boolean) => [...found].some(of);
  const parts = [
    ...(found.has(BARELY) ? [`${BARELY}: ${MARGIN_RULE}`] : []),
    ...(found.has(CLIMBS) ? [`${CLIMBS}: to what and when the lines above say, by the rule of forecasts below`] : []),
    ...(found.has(HELD_UP) ? [`${HELD_UP}: above memory.high, so that whoever wants memory there waits`] : []),
    ...(isFound((text) => text.endsWith(' refused')) ? ['refused: so many requests, since the backlog was full'] : []),
    ...(isFound((text) => text.endsWith(' killed')) ? ['killed: so many processes'] : []),
    ...(found.has(NO_MEMORY) ? [`${NO_MEMORY}: the kernel refused a fork or memory`] : []),
    ...(found.has(NOT_TESTED) ? [`${NOT_TESTED}: what the setting changes was not reached in this time`] : []),
  ];
  return parts.length > 0 ? [`outcome: ${parts.join('; ')}`] : [];
}

const BARELY = 'holds, barely';
const CLIMBS = 'climbs';
const NO_MEMORY = 'no memory';
const NOT_TESTED = 'not tested';

/** Whether something else than how things are set up is another in it: it is listed apart. */
export const isOther = ({ isOfLoad, isOfLimit }: SettingResult): boolean => isOfLoad || isOfLimit;

/** Whether it holds, with something left, and nothing says that it would not go on. */
export const isSafe = ({ kills, refused, severity, course, margins }: SettingResult): boolean =>
  kills === 0 &&
  refused === 0 &&
  severity !== 'fails' &&
  severity !== 'ends' &&
  course === null &&
  !isBarely(tightest(margins));

function outcome({ kills, refused, severity, course, margins, unreached }: SettingResult): string {
  if (kills > 0) return `${kills} killed`;
  if (severity === 'fails') return NO_MEMORY;
  if (refused > 0) return `${count(refused)} refused`;
  if (course?.startsWith(HELD_UP)) return HELD_UP;
  if (course !== null) return CLIMBS;
  if (unreached !== null) return NOT_TESTED;
  return isBarely(tightest(margins)) ? BARELY : 'holds';
}

/** What the outcome leaves out: towards what and when it climbs, and what never came into play. */
function noteOf({ name, kills, severity, course, unreached, replaced, killed }: SettingResult): string[] {
  const parts = [
    ...(killed === null ? [] : [killed]),
    ...(course !== null && kills === 0 && severity !== 'fails' ? [course] : []),
    ...(unreached === null ? [] : [unreached]),
    ...(replaced === null ? [] : [replaced]),
  ];
  return parts.length === 0 ? [] : [`${name}: ${parts.join('; ')}.`];
}

/** Settings that change nothing at all. */
function sameText(settings: readonly SettingResult[]): string[] {
  const [base, ...rest] = settings;
  const names = rest.filter((row) => row.unreached === null && isSame(row, base!)).map(({ name }) => name);
  return names.length === 0 ? [] : [`Nothing is different from as it is: ${names.join(', ')}.`];
}

const isSame = (x: SettingResult, y: SettingResult) =>
  (['kills', 'refused', 'lowestAvailableBytes', 'workersBytes', 'largestBytes', 'sizeBytes'] as const).every(
    (key) => x[key] === y[key],
  ) &&
  x.allocatorUs === y.allocatorUs &&
  x.waitMaxUs === y.waitMaxUs &&
  x.course === y.course &&
  !isOther(x);

function change(value: number, base: number): string {
  if (base === 0) return '';
  const share = value / base - 1;
  return Math.abs(share) < 0.005 ? '=' : `${share > 0 ? '+' : ''}${percent(share)}`;
}
