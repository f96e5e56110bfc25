import { bytes, count, duration, percent } from '../../../sim/contract/format.ts';
import type { Comparison, ComparisonCell } from '../../metrics/comparison.ts';
import { WHERE_JUDGED } from '../../metrics/end-words.ts';
import { metricNamed, metricText } from '../../metrics/index.ts';
import { escapeLine } from '../../report/escape.ts';
import { JUDGED } from '../explain/moment/moment.ts';

/** What differs by less than this share is not spoken of. */
const WORTH_SAYING = 0.01;
/** What less memory may cost, by metric. */
const COSTS: readonly (readonly [metric: string, name: string])[] = [
  ['virtualNs', 'time'],
  ['cpuNs', 'work'],
  ['faults', 'page faults'],
  ['syscalls', 'system calls'],
];
const WAITS = ['lockWaitNs', 'waits for locks'] as const;

/** Which one needs least memory, by how much, and what that costs against the first; nothing where there is nothing to choose. */
export function answerSentences(c: Comparison, letters: readonly string[]): string[] {
  if (c.columns.length < 2 || c.same.some((group) => group.length === c.columns.length)) return [];
  const sentences: string[] = [];
  const told = new Set<number>();
  for (const question of c.until === null ? [PEAK, END] : [momentOf(c.until), PEAK]) {
    const least = leastOf(c, question.metric);
    // What was asked for is answered in any case; the other one where that is another answer.
    if (!least || (sentences.length > 0 && (least.isFirst || told.has(least.index)))) continue;
    told.add(least.index);
    sentences.push(
      least.isFirst
        ? firstText(c, letters, question)
        : `${leastText(least, letters, question.when)}${costText(c, least.index)}`,
      ...(least.isFirst ? [] : cheaperText(c, least, letters, question)),
    );
  }
  return sentences;
}

interface Question {
  readonly metric: string;
  readonly when: string;
}

const PEAK: Question = { metric: 'rssPeakBytes', when: 'at its peak' };
const END: Question = { metric: 'rssBytes', when: 'at the end' };

/** `until` as in --at. */
const momentOf = (until: string): Question => ({
  metric: 'rssBytes',
  when: until === JUDGED ? WHERE_JUDGED : `at ${escapeLine(until)}`,
});

interface Least {
  readonly index: number;
  readonly cell: ComparisonCell;
  readonly first: ComparisonCell;
  /** No other one needs less by what is worth a word. */
  readonly isFirst: boolean;
}

function leastOf(c: Comparison, metric: string): Least | undefined {
  const cells = c.rows.find((row) => row.metric === metric)?.cells;
  const first = cells?.[0];
  if (!cells || !first) return undefined;
  let index = 0;
  cells.forEach((cell, i) => {
    if (cell && cell.median < cells[index]!.median) index = i;
  });
  const cell = cells[index]!;
  return { index, cell, first, isFirst: cell.median >= first.median * (1 - WORTH_SAYING) };
}

function leastText({ index, cell, first }: Least, letters: readonly string[], when: string): string {
  const less = percent(1 - cell.median / first.median);
  const sure = cell.differsFromFirst ? '' : ', which other seeds do not confirm';
  return `${letters[index]} needs least memory ${when}: ${bytes(cell.median)}, ${less} less than ${letters[0]}${sure}`;
}

/** Who needs about as little, and of those takes the least work. */
function cheaperText(c: Comparison, { index, cell }: Least, letters: readonly string[], question: Question): string[] {
  const mediansOf = (metric: string) => c.rows.find((row) => row.metric === metric)?.cells.map((each) => each?.median);
  const medians = mediansOf(question.metric)!;
  const [metric, name] = mediansOf('cpuNs')?.[index] === undefined ? COSTS[2]! : COSTS[1]!;
  const costs = mediansOf(metric) ?? [];
  const own = costs[index] ?? 0;
  const near = medians.flatMap((median, i) =>
    i > 0 && i !== index && median !== undefined && median <= cell.median * (1 + WORTH_SAYING) ? [i] : [],
  );
  const cheapest = near.sort((i, j) => (costs[i] ?? Infinity) - (costs[j] ?? Infinity))[0];
  if (cheapest === undefined || (costs[cheapest] ?? Infinity) >= own * (1 - WORTH_SAYING)) return [];
  return [
    `${letters[cheapest]} needs about as little, ${bytes(medians[cheapest]!)}, at ${percent(1 - costs[cheapest]! / own)} less ${name} than ${letters[index]}.`,
  ];
}

function firstText(c: Comparison, letters: readonly string[], { metric, when }: Question): string {
  const medians = c.rows.find((row) => row.metric === metric)!.cells.map((cell) => cell?.median ?? Infinity);
  const [own, ...others] = medians as [number, ...number[]];
  const least = Math.min(...others);
  if (least <= own * (1 + WORTH_SAYING)) {
    return `None needs less memory ${when} than ${letters[0]}, ${bytes(own)}, by ${percent(WORTH_SAYING)} or more.`;
  }
  const next = letters[medians.indexOf(least)];
  return `${letters[0]} needs least memory ${when}: ${bytes(own)}; ${next} is next with ${own === 0 ? bytes(least) : moreText(own, least)}.`;
}

/** Percents of many times say nothing. */
function moreText(from: number, to: number, name?: string): string {
  const times = Math.round(to / from);
  if (times >= 10) return name === undefined ? `${count(times)} times as much` : `${count(times)} times the ${name}`;
  return `${percent(to / from - 1)} more${name === undefined ? '' : ` ${name}`}`;
}

/** Against the first: what grows by more than is worth a word; else what grows at all, as it reads. */
function costText(c: Comparison, index: number): string {
  const medians = (metric: string): readonly [number, number] => {
    const cells = c.rows.find((row) => row.metric === metric)?.cells;
    return [cells?.[0]?.median ?? 0, cells?.[index]?.median ?? 0];
  };
  const isMore = ([from, to]: readonly [number, number]) => to > from * (1 + WORTH_SAYING);
  const costs = COSTS.flatMap(([metric, name]) => {
    const [from, to] = medians(metric);
    if (!isMore([from, to])) return [];
    return [from === 0 ? `${to} ${name}` : moreText(from, to, name)];
  });
  const waits = medians(WAITS[0]);
  if (isMore(waits)) {
    costs.push(`${duration(waits[1])} of waits for locks instead of ${duration(waits[0])}`);
  }
  if (costs.length > 0) return `, at ${costs.join(', ')}.`;
  const little = [...COSTS, WAITS].flatMap(([metric, name]) => {
    const [from, to] = medians(metric);
    const texts = [from, to].map((value) => metricText(metricNamed(metric), value));
    return to > from && texts[0] !== texts[1] ? [name] : [];
  });
  return little.length > 0
    ? `, at ${percent(WORTH_SAYING)} more ${little.join(', ')} at most.`
    : `, at no more ${c.mode === 'lockstep' ? '' : 'time, work, '}faults or calls.`;
}
