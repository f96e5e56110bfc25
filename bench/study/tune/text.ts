import { columns, counted, percent } from '../../../sim/contract/format.ts';
import { metricNamed, metricText } from '../../metrics/index.ts';
import { escapeLineStart } from '../../report/escape.ts';
import { fold } from '../../report/text/fold.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/palette.ts';
import { type Bound, worsening } from './bounds.ts';
import { WORTH_IT } from './search.ts';
import type { TunePoint, TuneResult } from './tune.ts';
import type { Validation } from './validate.ts';

/** Rows of the front that are shown: the rest is in the JSON. */
const SHOWN = 12;

export function tuneText(result: TuneResult, palette: Palette = PLAIN, width = 80): string {
  const { objective, from, best } = result;
  const metric = metricNamed(objective);
  const gained = best.allocator !== from.allocator;
  const change = from.value === 0 ? '' : `  (${percent(best.value / from.value - 1)})`;
  const lines = [
    `${palette.bold(escapeLineStart(result.workload))}, ${result.mode}${result.mode === 'lockstep' ? '' : `, pace ${result.pace}`}${interruptedMark(result.partial, palette)}`,
    ...(result.moment ? fold(`  judged ${result.moment.about}`, width, '  ') : []),
    gained
      ? `${objective} ${metricText(metric, from.value)} → ${palette.bold(metricText(metric, best.value))}${change}`
      : `${objective} ${metricText(metric, from.value)}: ${nothingText(result, palette)}`,
    ...fold(`  ${palette.bold(best.allocator)}`, width, '    '),
    ...(gained ? beyondText(result) : reachedText(result)).flatMap((text) => fold(text, width, '  ')),
    '',
    ...frontLines(result, palette, width),
    '',
  ];
  if (gained) for (const { place, text } of result.paste) lines.push(palette.dim(place), indented(text), '');
  lines.push(...remarks(result).flatMap((text) => fold(text, width, '  ').map(palette.dim)));
  return `${lines.join('\n')}\n`;
}

/** Of a search that is not over it is not known. */
function nothingText({ settled, runs, refuted }: TuneResult, palette: Palette): string {
  if (!settled) return `${palette.bold('nothing found')} in ${counted(runs, 'run')}; the search is not over (--budget)`;
  return `${palette.bold('nothing to gain')} within the bounds${refuted.length > 0 ? ' that other seeds confirm' : ''}, in ${counted(runs, 'run')}`;
}

/** How far the search got where it found nothing: the nearest within the bounds that reads as another figure, and what there is beyond them. */
function reachedText(result: TuneResult): string[] {
  const first = result.points.find((p) => p.allocator === result.from.allocator)!;
  const isOther = ({ figures }: TunePoint) => result.columns.some((name) => figures[name] !== first.figures[name]);
  const within = bestOf(result, (p) => p.withinBounds && isOther(p));
  const nearest =
    within && valueText(result, within) !== metricText(metricNamed(result.objective), result.from.value)
      ? [`Of the rest within the bounds the best has ${valueText(result, within)}: ${within.allocator}.`]
      : [];
  return [...nearest, ...beyondText(result)];
}

/** What costs more than the bounds let it. */
function beyondText(result: TuneResult): string[] {
  const { points, best, objective, columns: names } = result;
  const beyond = bestOf(result, (p) => !p.withinBounds);
  const gained = beyond && worsening(metricNamed(objective), beyond.figures[objective]!, best.value);
  if (!beyond || gained! < Math.abs(best.value) * WORTH_IT) return [];
  const work = names.includes('cpuNs') ? 'cpuNs' : 'faults';
  const text = ({ figures }: TunePoint) => metricText(metricNamed(work), figures[work] ?? null);
  return [
    `Beyond the bounds there is ${valueText(result, beyond)}, at ${SHORT[work] ?? work} ${text(beyond)} instead of ${text(points[0]!)}: ${beyond.allocator}.`,
  ];
}

/** Of those that were tried. */
function bestOf({ points, from, objective }: TuneResult, isOne: (p: TunePoint) => boolean): TunePoint | undefined {
  return points
    .filter((p) => !p.failed && isOne(p) && p.allocator !== from.allocator && p.figures[objective] !== null)
    .reduce<TunePoint | undefined>(
      (x, y) => (x && !isBetter(objective, y.figures[objective]!, x.figures[objective]!) ? x : y),
      undefined,
    );
}

const isBetter = (objective: string, x: number, y: number): boolean =>
  metricNamed(objective).better === 'lower' ? x < y : x > y;

const valueText = ({ objective }: TuneResult, { figures }: TunePoint): string =>
  metricText(metricNamed(objective), figures[objective] ?? null);

const indented = (text: string) => text.replace(/^/gm, '  ');

/** The beginning, the best, and what is on the front: each a block of its name and its figures. */
function frontLines(result: TuneResult, palette: Palette, width: number) {
  const { points, from, best, columns: names, objective, refuted } = result;
  const metric = metricNamed(objective);
  const of = (p: TunePoint) => (p.figures[objective] ?? Infinity) * (metric.better === 'lower' ? 1 : -1);
  const first = points.find((p) => p.allocator === from.allocator)!;
  const pick = points.find((p) => p.allocator === best.allocator)!;
  const others = alone([first, pick, ...points.filter((p) => p.front)]).sort((x, y) => of(x) - of(y));
  const shown = [first, ...(pick === first ? [] : [pick]), ...others.slice(0, SHOWN)];
  const letter = (i: number) => (i === 0 ? '·' : String.fromCharCode(64 + i));
  const markOf = (p: TunePoint) => (!p.withinBounds ? '!' : of(p) < of(pick) ? '?' : ' ');
  const isPassedOver = shown.some((p) => p !== pick && markOf(p) === '?');
  const rows = shown.map((p, i) => [
    `${p === pick ? palette.bold('>') : markOf(p)}${letter(i)}`,
    ...names.map((name) => metricText(metricNamed(name), p.figures[name] ?? null)),
  ]);
  return [
    ...columns([['', ...names.map((name) => shortOf(name, result))].map(palette.dim), ...rows], 'lr', ''),
    '',
    ...shown.flatMap((p, i) => fold(`${letter(i)}  ${p.allocator}`, width, '   ')),
    ...(others.length > SHOWN ? [palette.dim(`${others.length - SHOWN} more on the front: --json`)] : []),
    ...fold(
      `> the pick: the best goal within the bounds, with few settings. ! beyond a bound.${isPassedOver ? ` ? better and not picked: it brings less than ${percent(WORTH_IT)} for more settings${refuted.length > 0 ? ', or is better with this seed alone, or alike to one that is' : ''}.` : ''} But for the pick and the beginning (·) the rows are the front: nothing that was run is as good as one of them in every column and better in one.`,
      width,
      '',
    ).map(palette.dim),
    ...fold(
      `Columns: ${names.map((name) => (SHORT[name] ? `${shortOf(name, result)} is ${name}` : name)).join(', ')}.`,
      width,
      '  ',
    ).map(palette.dim),
  ];
}

/** Without those that have the figures of another one: the shortest name stands for them, and the first two for themselves. */
function alone([first, pick, ...others]: readonly TunePoint[]): TunePoint[] {
  const key = (p: TunePoint) => JSON.stringify(p.figures);
  const taken = new Set([key(first!), key(pick!)]);
  return others
    .sort((x, y) => x.allocator.length - y.allocator.length)
    .filter((p) => !taken.has(key(p)) && taken.add(key(p)));
}

/** Headings that leave room for the figures. */
const SHORT: Readonly<Record<string, string>> = {
  virtualNs: 'time',
  cpuNs: 'work',
  rssPeakBytes: 'peak',
  rssBytes: 'end',
  syscalls: 'calls',
};

/** What is resident where a moment is judged is not that of the end. */
const shortOf = (name: string, { moment }: TuneResult): string =>
  name === 'rssBytes' && moment ? 'then' : (SHORT[name] ?? name);

function remarks(result: TuneResult) {
  const { settled, runs, bounds, inert, dropped, validation, refuted, mode, best, from } = result;
  const lines = [
    settled
      ? `${runs} runs: no single option, and no two that work on the same thing, make it better.`
      : `${runs} runs: the budget ended before the search did (--budget).`,
    `Bounds (--keep): ${bounds.map(boundText).join(', ')}.`,
  ];
  if (mode === 'lockstep')
    lines.push(
      'File order has no time: what a setting costs is told by its calls and faults. What threads wait for each other, with fewer arenas above all, is not seen.',
    );
  if (inert.length > 0) lines.push(`Without effect here: ${inert.join(', ')}.`);
  if (dropped.length > 0)
    lines.push(
      `Taken on the way, and left out again, as they bring less than ${percent(WORTH_IT)}: ${dropped.join(', ')}.`,
    );
  if (refuted.length > 0)
    lines.push(`Better with this seed only, passed over with all that adds to it: ${refuted.join('; ')}.`);
  const isSeedless = validation?.rows.every((r) => r.from === from.value && r.best === best.value);
  if (validation?.inOrders) lines.push(ordersText(result, validation));
  else if (validation && !isSeedless) {
    const seeds = validation.rows.map((r) => r.seed).join(', ');
    lines.push(`Holds with seeds ${seeds} too.`);
  } else if (best.allocator !== from.allocator) {
    lines.push('Every seed gives the same here.');
  }
  return lines;
}

/** What threads leave in a heap that they share is another figure in every run. */
function ordersText({ objective }: TuneResult, { rows }: Validation): string {
  const metric = metricNamed(objective);
  const range = (values: readonly number[]) => {
    const ends = [Math.min(...values), Math.max(...values)].map((value) => metricText(metric, value));
    return ends[0] === ends[1] ? ends[0]! : ends.join(' to ');
  };
  return `Threads come to share heaps, and what they leave there hangs on the order of their calls: at full speed with ${counted(rows.length, 'other seed')} it is ${range(rows.map((r) => r.best))} instead of ${range(rows.map((r) => r.from))}. A real run may lie outside.`;
}

function boundText({ metric, percent: p, slack }: Bound): string {
  if (p === null) return `${metric} any`;
  const ofProgram = metric === 'cpuNs' ? ', of what the program takes in all' : '';
  return `${metric} +${p} %${slack > 0 ? ` or +${metricText(metricNamed(metric), slack)}${ofProgram}` : ''}`;
}
