import type { OptionValue } from '../../../allocators/model.ts';
import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../../allocators/spec.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { suggestion } from '../../../sim/contract/suggestion.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import type { Metric } from '../../metrics/metric.ts';
import type { Mode, RunResult } from '../../run/result.ts';
import { applySetting, type Setting, withOption } from '../explain/settings/setting.ts';
import { type Bound, isWithin, worsening } from './bounds.ts';
import { candidateValues, DEBUGGING, settingValues } from './candidates.ts';
import { fewValues, type Pair, pairsOf } from './pairs.ts';

/** Of the goal at the beginning: what brings less is not worth a setting. */
export const WORTH_IT = 0.01;

/** One setting that was run. */
export interface Point {
  readonly spec: AllocatorSpec;
  readonly result: RunResult;
  readonly value: number;
}

export interface Dimension {
  readonly option: string;
  readonly values: readonly OptionValue[];
}

export interface SearchOptions {
  readonly start: AllocatorSpec;
  readonly cpus: number;
  readonly objective: Metric;
  readonly bounds: readonly Bound[];
  readonly dimensions: readonly Dimension[];
  /** Settings of several options that belong together, for a peak: tried first. */
  readonly together: (rssPeakBytes: Bytes) => readonly Setting[];
  readonly budget: number;
  readonly mode: Mode;
  /** Runs them in parallel; null for what has no such figure. */
  readonly measure: (specs: readonly AllocatorSpec[]) => Promise<(Point | null)[]>;
  /** Ctrl-C: what was found so far is the answer. */
  readonly isInterrupted?: () => boolean;
}

export interface Found {
  readonly base: Point;
  readonly best: Point;
  /** All that was run, in order; the first is the base. */
  readonly points: readonly Point[];
  /** Each improvement: the point and the runs made up to there. */
  readonly steps: readonly { readonly point: Point; readonly runs: number }[];
  readonly settled: boolean;
  /** Options none of whose values changed any figure. */
  readonly inert: readonly string[];
  /** Settings that the search had taken, and that the best point does without. */
  readonly dropped: readonly string[];
}

/** What has been run, and how many runs are left. */
interface Measuring {
  readonly points: Point[];
  readonly runs: () => number;
  readonly isOver: () => boolean;
  readonly seen: (spec: AllocatorSpec) => Point | undefined;
  readonly measure: (specs: readonly AllocatorSpec[]) => Promise<Point[]>;
}

function startMeasuring({ budget, isInterrupted = () => false, measure }: SearchOptions): Measuring {
  const seen = new Map<string, Point | null>();
  const points: Point[] = [];
  let runs = 0;
  return {
    points,
    runs: () => runs,
    isOver: () => runs >= budget || isInterrupted(),
    seen: (spec) => seen.get(formatAllocator(spec)) ?? undefined,
    async measure(specs) {
      const fresh = specs.filter((spec) => !seen.has(formatAllocator(spec))).slice(0, budget - runs);
      runs += fresh.length;
      const measured = fresh.length > 0 ? await measure(fresh) : [];
      for (const [i, point] of measured.entries()) {
        seen.set(formatAllocator(fresh[i]!), point);
        if (point) points.push(point);
      }
      return measured.filter((point) => point !== null);
    },
  };
}

/**
 * Settings that belong together, and every value of every option alone, of which the best within the bounds is taken: what is found is at least as good. From there one option after another:
 * all values of an option are run in parallel, the best stays, until a whole round brings nothing. Then options that work on the same thing are tried two at a time, and what that brings begins another round.
 * At the end every setting that was taken is taken back again, and stays away as long as that costs less than WORTH_IT in all.
 */
export async function search(options: SearchOptions): Promise<Found> {
  const { start, objective, bounds, dimensions } = options;
  const measuring = startMeasuring(options);
  const { points, runs, isOver, measure } = measuring;
  const changes = new Set<string>();
  const [base] = await measure([start]);
  if (!base) throw new UserError(`${objective.name} is no figure of a run in mode ${options.mode}`);
  let best: Point = base;
  const steps = [{ point: best, runs: runs() }];
  const take = (found: readonly Point[]): boolean => {
    const from = best;
    for (const point of found) {
      if (worsening(objective, best.value, point.value) >= 0 || !isWithin(point.result, base.result, bounds)) continue;
      best = point;
    }
    if (best !== from) steps.push({ point: best, runs: runs() });
    return best !== from;
  };
  const alone = (each: Dimension) => each.values.map((value) => withOption(start, each.option, value));
  take(await measure([...togetherFrom(base, options), ...dimensions.flatMap(alone)]));
  for (const each of dimensions) {
    const isOther = (spec: AllocatorSpec) => {
      const point = measuring.seen(spec);
      return point !== undefined && !isSame(point.result, base.result);
    };
    if (alone(each).some(isOther)) changes.add(each.option);
  }
  let settled = false;
  while (!settled && !isOver()) {
    settled = true;
    for (const { option, values } of dimensions) {
      if (isOver()) break;
      const from = best;
      const found = await measure(values.map((value) => withOption(from.spec, option, value)));
      if (found.some((point) => !isSame(point.result, from.result))) changes.add(option);
      if (take(found)) settled = false;
    }
    for (const pair of settled ? pairsOf(dimensions) : []) {
      if (isOver()) break;
      if (take(await measurePair(pair, best, options, measuring, changes))) settled = false;
    }
    if (isOver()) settled = false;
  }
  const { best: pick, dropped } = await leanest({ base, best }, options, measuring);
  const inert = dimensions.map((d) => d.option).filter((option) => !changes.has(option) && !isOver());
  return { base, best: pick, points, steps, settled, inert, dropped };
}

/** As far as the options are among those that are tried. */
function togetherFrom({ spec, result }: Point, { dimensions, together, cpus }: SearchOptions): AllocatorSpec[] {
  const isTried = (name: string) => dimensions.some(({ option }) => option === name);
  return together(result.summary.rssPeakBytes)
    .filter(({ options }) => Object.keys(options).every(isTried))
    .flatMap((setting) => applySetting(spec, setting, cpus) ?? []);
}

/** Two options at a time, from where neither helps alone. An option counts as changing something where the other one alone does not do the same. */
async function measurePair(
  { first, second }: Pair,
  from: Point,
  { objective }: SearchOptions,
  { seen, measure }: Measuring,
  changes: Set<string>,
): Promise<Point[]> {
  const alone = (option: string, value: OptionValue) => seen(withOption(from.spec, option, value));
  const few = ({ option, values }: Dimension) =>
    fewValues(
      values,
      values
        .map((value) => ({ value, point: alone(option, value) }))
        .filter(({ point }) => point !== undefined)
        .sort((x, y) => worsening(objective, y.point!.value, x.point!.value))[0]?.value,
    );
  const both = few(first).flatMap((x) => few(second).map((y) => ({ x, y })));
  const specOf = ({ x, y }: (typeof both)[number]) =>
    withOption(withOption(from.spec, first.option, x), second.option, y);
  const found = await measure(both.map(specOf));
  for (const pair of both) {
    const point = seen(specOf(pair));
    const [one, other] = [alone(first.option, pair.x), alone(second.option, pair.y)];
    if (point && one && !isSame(point.result, one.result)) changes.add(second.option);
    if (point && other && !isSame(point.result, other.result)) changes.add(first.option);
  }
  return found;
}

/** Without the settings that bring less than WORTH_IT together; what is left brings as much. */
async function leanest(
  { base, best: top }: Pick<Found, 'base' | 'best'>,
  { start, objective, bounds, cpus }: SearchOptions,
  { seen, measure }: Measuring,
): Promise<Pick<Found, 'best' | 'dropped'>> {
  const isWorthIt = (point: Point) => worsening(objective, point.value, base.value) >= Math.abs(base.value) * WORTH_IT;
  if (!isWorthIt(top)) return { best: base, dropped: takenSettings(top.spec, start) };
  let best = top;
  const dropped: string[] = [];
  for (const name of takenSettings(best.spec, start)) {
    const spec = withoutSetting(best.spec, name, start, cpus);
    const point = seen(spec) ?? (await measure([spec]))[0];
    if (!point || worsening(objective, top.value, point.value) > Math.abs(base.value) * WORTH_IT) continue;
    if (!isWithin(point.result, base.result, bounds)) continue;
    if (!isWorthIt(point)) continue;
    best = point;
    dropped.push(name);
  }
  return { best, dropped };
}

/** Whether the two runs did the same, as far as any figure tells. */
export function isSame(x: RunResult, y: RunResult): boolean {
  return JSON.stringify([x.summary, x.abort]) === JSON.stringify([y.summary, y.abort]);
}

function takenSettings(spec: AllocatorSpec, start: AllocatorSpec): string[] {
  const own = Object.keys(spec.given).filter((name) => spec.given[name] !== start.given[name]);
  return spec.below && start.below ? [...own, ...takenSettings(spec.below, start.below)] : own;
}

/** `spec` with the setting as it was at the start. */
function withoutSetting(spec: AllocatorSpec, name: string, start: AllocatorSpec, cpus: number): AllocatorSpec {
  const back = (s: AllocatorSpec, s0: AllocatorSpec): AllocatorSpec => {
    const given = { ...s.given };
    if (name in given) {
      if (s0.given[name] === undefined) delete given[name];
      else given[name] = s0.given[name];
    }
    return { ...s, given, below: s.below && s0.below ? back(s.below, s0.below) : s.below };
  };
  return parseAllocator(formatAllocator(back(spec, start)), cpus);
}

/** Whether `spec` has all that `part` sets beyond `base`. */
export function addsTo(spec: AllocatorSpec, part: AllocatorSpec, base: AllocatorSpec): boolean {
  const own = takenSettings(part, base);
  return own.length > 0 && own.every((name) => valueIn(spec, name) === valueIn(part, name));
}

/** Of the layer that has it. */
function valueIn({ given, below }: AllocatorSpec, name: string): OptionValue | undefined {
  return given[name] ?? (below && valueIn(below, name));
}

/** What is tried: the options that people set, or the named ones with steps around their defaults. */
export function dimensionsOf(spec: AllocatorSpec, cpus: number, names: readonly string[] | undefined): Dimension[] {
  const layers: AllocatorSpec[] = [];
  for (let s: AllocatorSpec | undefined = spec; s; s = s.below) layers.push(s);
  const known = layers.flatMap((s) =>
    s.model.options
      .filter(({ versions }) => versions?.includes(s.version) !== false)
      .map((option) => ({ option, model: s.model.name, s })),
  );
  for (const name of names ?? []) {
    if (DEBUGGING.includes(name)) {
      throw new UserError(`--options: found '${name}', which is for finding faults and costs time: no setting to tune`);
    }
    if (!known.some(({ option }) => option.name === name)) {
      const all = known.map(({ option }) => option.name).filter((o) => !DEBUGGING.includes(o));
      throw new UserError(
        `--options: ${spec.model.name}@${spec.version} has no option '${name}'${suggestion(name, all)}`,
      );
    }
  }
  return known
    .filter(({ option }) => !names || names.includes(option.name))
    .map(({ option, model, s }) => {
      const usual = settingValues(model, option);
      const values = names && usual.length === 0 ? candidateValues(option, { version: s.version, cpus }) : usual;
      return { option: option.name, values: values.filter((v) => isAccepted(s, option.name, v, cpus)) };
    })
    .filter(({ values }) => values.length > 0);
}

/** Whether the value is another one than what was given, and one that the option takes. */
function isAccepted(spec: AllocatorSpec, option: string, value: OptionValue, cpus: number): boolean {
  // Not what is the default: given, glibc's thresholds stay where they are.
  if (spec.given[option] === value) return false;
  try {
    parseAllocator(`${spec.model.name}@${spec.version}:${option}=${value}`, cpus);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}
