import { bytes, columns, count, counted, duration } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import { MOST_KILLS } from '../follower.ts';
import type { FleetResult } from '../study.ts';
import { eventLines } from './events-text.ts';
import type { FleetFigures, PoolFigures } from './figures.ts';
import { severityMark } from './finding.ts';
import { FORECAST_RULE } from './forecast.ts';
import type { MomentFigures } from './kill-figures.ts';
import { logText } from './log-text.ts';
import { marginsOf, tightest } from './margin.ts';
import type { SettingResult } from './setting-result.ts';
import { tableOfSettings } from './settings-table.ts';

/** How lines are broken and set off; what a terminal has. */
export interface TextStyle {
  readonly width: number;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly fold: (text: string, width: number, indent: string) => string[];
  /** Rows of a table whose first column names them, in blocks below each other where they are too wide. */
  readonly columnBlocks: (rows: readonly (readonly string[])[], width: number) => string[];
}

const ROWS = 9;
const EVENTS = 8;
const LEAST_COLUMNS = 3;
const lowestLegend = (group: string | undefined, hasPools: boolean) =>
  `! the least ${group === undefined ? 'that was available' : `room in ${group} (its memory.max without page cache)`}${hasPools ? ', with all that requests in progress need then' : ', between samples too'}`;
const KILL_LEGEND = '* somebody is killed first: the machine at that moment, before anything was freed';

/** The answer for people. */
export function fleetText(result: FleetResult, style: TextStyle): string {
  const { bold, dim, fold, width } = style;
  const paragraph = (text: string, indent = '') => fold(text, width, indent);
  const { machine, figures, verdict } = result;
  const lines = [
    bold(
      `${result.scenario}: ${lengthText(result)} on ${bytes(figures.totalBytes)}, ${figures.swapBytes > 0 ? `swap ${bytes(figures.swapBytes)}` : 'no swap'}, ${machine.processors} processors, Linux ${machine.kernel}`,
    ),
    ...(result.about ? paragraph(result.about) : []),
    ...(result.partial ? [bold(partialText(result))] : isCut(result) ? paragraph(bold(CUT_TEXT)) : []),
    '',
    ...paragraph(bold(verdict.summary)),
    ...verdict.findings.flatMap(({ severity, about, text }) =>
      paragraph(`- ${severityMark(severity)}${about}: ${text}`, '  '),
    ),
    ...marksText(verdict.findings).map(dim),
    '',
    ...timeline(figures).flatMap((part) => (typeof part === 'string' ? paragraph(part, '  ') : fitted(part, width))),
    '',
    ...figures.pools.flatMap((pool) => paragraph(poolText(pool), '  ')),
    ...result.services.flatMap((text) => paragraph(text, '  ')),
    ...figures.logs.flatMap((log) => paragraph(logText(log, result.durationUs), '  ')),
  ];
  const events = eventLines(result.events);
  const shown = events.slice(0, EVENTS);
  if (shown.length > 0)
    lines.push('', ...shown.flatMap(({ atUs, text }) => paragraph(`  ${durationText(atUs)}  ${text}`, '    ')));
  if (events.length > shown.length) lines.push(`  … ${count(events.length - shown.length)} more`);
  if (result.settings.length > 0) lines.push('', ...settingsTable(result.settings, style));
  lines.push('', ...assumptions(result).flatMap((text) => paragraph(text, '  ').map(dim)));
  return `${lines.join('\n')}\n`;
}

/** Whether less was followed than there is, as was asked. */
export const isCut = ({ untilUs, durationUs, partial }: FleetResult): boolean => untilUs < durationUs && !partial;

/** How long it was followed, and of what where that is less. */
export const lengthText = (result: FleetResult): string =>
  isCut(result)
    ? `the first ${durationText(result.untilUs)} of ${durationText(result.durationUs)}`
    : durationText(result.durationUs);

const CUT_TEXT = 'It ends at the moment that was asked for: what comes later was not looked at.';

function partialText({ figures, durationUs, settings }: FleetResult): string {
  const untilUs = figures.timesUs.at(-1)!;
  if (untilUs < durationUs && figures.kills >= MOST_KILLS)
    return `Partial: given up at ${durationText(untilUs)} after ${figures.kills} kills.`;
  if (untilUs < durationUs)
    return `Partial: interrupted; the machine was followed for ${durationText(untilUs)} of ${durationText(durationUs)}.`;
  return `Partial: interrupted; ${settings.length === 0 ? 'no setting was' : 'not all settings were'} run.`;
}

/** A table, and what is below it. */
function timeline(figures: FleetFigures): (string | readonly (readonly string[])[])[] {
  const { timesUs, pools, groups } = figures;
  const last = timesUs.length - 1;
  const picked = [...new Set(Array.from({ length: ROWS }, (_, i) => Math.round((last * i) / (ROWS - 1))))];
  const swaps = figures.swapBytes > 0;
  const header = [
    'time',
    'available',
    'AnonPages',
    ...(swaps ? ['swap used'] : []),
    ...groups.map(({ name }) => `[${name}]`),
    ...pools.map(({ name }) => `${name} private`),
    ...pools.map(({ name }) => `largest ${name}`),
    'Shmem',
    'cache',
  ];
  const rowOf = (i: number) => [
    durationText(timesUs[i]!),
    bytes(figures.availableBytes.values[i]!),
    bytes(figures.anonBytes.values[i]!),
    ...(swaps ? [bytes(figures.swapUsedBytes.values[i]!)] : []),
    ...groups.map((group) => bytes(group.currentBytes.values[i]!)),
    ...pools.map((pool) => bytes(pool.privateBytes.values[i]!)),
    ...pools.map((pool) => bytes(pool.largestBytes.values[i]!)),
    bytes(figures.shmemBytes.values[i]!),
    bytes(figures.cacheBytes.values[i]!),
  ];
  const rows = picked.map(rowOf);
  const { group } = tightest(marginsOf(figures));
  const { firstKill } = figures;
  const moment = firstKill ?? (group === undefined ? figures.lowest : figures.lowestInGroup);
  const place = moment
    ? picked.filter((i) => (firstKill ? i < firstKill.beforeSample : timesUs[i]! < moment.atUs)).length
    : 0;
  const own = moment && momentRow(moment, swaps);
  // The least room may be that of a sample, or as good as one's.
  const isTold = own && (firstKill || !rows.slice(Math.max(0, place - 1), place + 1).some((row) => isSame(row, own)));
  if (isTold) rows.splice(place, 0, [`${durationText(moment!.atUs)} ${firstKill ? '*' : '!'}`, ...own.slice(1)]);
  const told = rows.filter((row, i) => ![rows[i - 1], rows[i + 1]].every((other) => other && isSame(row, other)));
  const table = withoutZeros([header, ...told]);
  const samples = told.length - (isTold ? 1 : 0);
  const ofMachine = table[0]!.filter((name) => OF_MACHINE.includes(name));
  const legend = [
    `${samples} of ${timesUs.length} samples${last > 0 ? `, one every ${durationText(Math.round(timesUs[1]! - timesUs[0]!))}` : ''}${told.length < rows.length ? '; none that are as those beside them' : ''}`,
    ...(isTold ? [firstKill ? KILL_LEGEND : lowestLegend(group, pools.length > 0)] : []),
    ...(groups.length > 0
      ? [`[name]: memory.current of that cgroup, page cache included; ${ofMachine.join(', ')}: of the machine`]
      : []),
  ];
  return [table, ...legend];
}

/** Columns that have the same name where somebody has a cgroup. */
const OF_MACHINE: readonly string[] = ['available', 'AnonPages', 'Shmem', 'cache'];

/** All but the time. */
const isSame = (x: readonly string[], y: readonly string[]) => x.slice(1).every((cell, i) => cell === y[i + 1]);

function momentRow(moment: MomentFigures, swaps: boolean): string[] {
  return [
    durationText(moment.atUs),
    bytes(moment.availableBytes),
    bytes(moment.machineAnonBytes),
    ...(swaps ? [bytes(moment.swapUsedBytes)] : []),
    ...moment.groups.map((group) => bytes(group.currentBytes)),
    ...moment.pools.map((pool) => bytes(pool.privateBytes)),
    ...moment.pools.map((pool) => bytes(pool.largestBytes)),
    bytes(moment.machineShmemBytes),
    bytes(moment.machineCacheBytes),
  ];
}

/** Columns that have nothing in any row tell nothing. */
function withoutZeros(table: readonly (readonly string[])[]): string[][] {
  const [, ...rows] = table;
  const isTold = (column: number) => rows.some((row) => row[column] !== bytes(0));
  return table.map((row) => row.filter((_, column) => isTold(column)));
}

/** What the words before findings say, of those that stand there. */
function marksText(findings: FleetResult['verdict']['findings']): string[] {
  const told = (['fails', 'ends', 'watch'] as const).filter((one) => findings.some(({ severity }) => severity === one));
  if (told.length === 0) return [];
  const meaning = { fails: 'it does not hold', ends: 'it does not hold for good', watch: 'worth a look' };
  return [
    [...told.map((one) => `${severityMark(one).replace(',', ':')}${meaning[one]}`), 'others: nothing to do'].join('; '),
  ];
}

/** Where there is no room columns go that say the same in each row, which is told below it, then the last ones. */
function fitted(table: readonly (readonly string[])[], width: number): string[] {
  let rows = table;
  const same: string[] = [];
  for (;;) {
    const lines = columns(rows, 'lr', '');
    const { length } = rows[0]!;
    if (length <= LEAST_COLUMNS || lines.every((line) => line.length <= width))
      return same.length > 0 ? [...lines, `in each row: ${same.join(', ')}`] : lines;
    const isConstant = (column: number) => rows.slice(1).every((row) => row[column] === rows[1]![column]);
    let gone = length - 1;
    for (let column = LEAST_COLUMNS; column < length; column++) if (isConstant(column)) gone = column;
    if (isConstant(gone)) same.unshift(`${rows[0]![gone]} ${rows[1]![gone]}`);
    rows = rows.map((row) => row.filter((_, column) => column !== gone));
  }
}

/** One sentence or two of a pool. */
export function poolText(pool: PoolFigures): string {
  const memo =
    pool.compares && pool.met === 0
      ? 'all replayed, as no heap was met again'
      : pool.compares
        ? `${count(pool.replayed)} of them replayed, ${count(pool.met)} the same as one replayed before in an equal heap`
        : pool.isRecorded
          ? `as they were recorded, all ${count(pool.replayed)} replayed`
          : `all ${count(pool.replayed)} replayed: time decides what this allocator does, so no two heaps are alike`;
  const costs = Object.entries(pool.allocatorUs).map(([name, us]) => `${name} ${duration(us * 1e3)}`);
  return `${pool.name} (${pool.allocator}): ${counted(pool.mostWorkers, 'worker')}, at most ${pool.mostBusy} busy; ${counted(pool.requests, 'request')}, ${memo}; ${pool.recycled > 0 ? `${counted(pool.recycled, 'worker')} recycled; ` : ''}waiting p99 ${durationText(pool.waitUs.p99)}${costs.length > 0 ? `; allocator's part of a request: ${costs.join(', ')}` : ''}.`;
}

function settingsTable(settings: readonly SettingResult[], { bold, width, fold, columnBlocks }: TextStyle): string[] {
  const { head, rows, notes, legend } = tableOfSettings(settings);
  return [
    bold('Settings, each run:'),
    ...columnBlocks([head, ...rows], width),
    ...notes.flatMap((note) => fold(`- ${note}`, width, '  ')),
    ...fold(legend, width, '  '),
  ];
}

/** What the answer rests on. */
function assumptions(result: FleetResult): string[] {
  const { processors } = result.machine;
  const assumed = [
    ...(result.figures.pools.length > 0
      ? [
          'requests take as long as the scenario says, whatever the allocator and the load',
          'a worker that ends is replaced at once',
          'at a sample a request in progress has what it had at the last sixteenth of its calls (what it needs at most counts where memory is tight)',
        ]
      : []),
    ...(processors > 1
      ? [`the kernel’s lists are those of one processor: ${processors} have up to some MiB more in theirs`]
      : []),
  ];
  return [
    ...(assumed.length > 0 ? [`Assumed: ${assumed.join('; ')}.`] : []),
    `Forecasts: ${FORECAST_RULE}.`,
    ...(result.figures.pools.some((pool) => /jemalloc/.test(pool.allocator))
      ? ['jemalloc returns memory by time: in idle workers only where background_thread is on.']
      : []),
  ];
}
