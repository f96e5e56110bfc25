import { ratePerSecond } from '../../sim/contract/quantities.ts';
import type { Scenario } from '../scenario/scenario.ts';

// How much the requests in progress of a pool need at once, at a risk that it is more at some time.
//
//   needs more ▏      ╭╮ a request begins
//   than D     ▏╌╌╌╌╌╌││╌╌╌╌      Only a beginning can lead above D, so the risk is at most the number of beginnings that are expected to:
//   in         ▏ ╭─╮╭─╯╰─╮        of Poisson requests their rate times the time times P(others > D - own), of requests whose times are
//   progress   ▏─╯ ╰╯    ╰─       given (cron, log) the sum over them.
//
// Of Poisson arrivals those in progress with one size are Poisson in number (M/G/∞: rate times time in progress), so what all of them need
// is compound Poisson; Panjer's recursion gives its probabilities on a grid.

/** A request of the pool: what it needs beyond what its worker keeps, and when. */
export interface Need {
  /** Index among the scenario's requests. */
  readonly kind: number;
  readonly pages: number;
  readonly startUs: number;
  readonly endUs: number;
}

/** Steps of the grid up to the largest single need. */
const STEPS = 64;
const HOUR_US = 3600e6;
const HUGE = 1e200;

interface Hour {
  /** Of Poisson requests, by the steps that they need: expected in progress, and beginning an hour. */
  readonly inProgress: Float64Array;
  readonly perHour: Float64Array;
  /** How often within the horizon this hour of the day comes. */
  readonly hours: number;
}

/** What requests in progress need at once in pages, so that they need more at some time before `endUs` with a probability of at most `risk`. */
export function pagesAtRisk(needs: Iterable<Need>, scenario: Scenario, endUs: number, risk: number): number {
  const gathered = gather(needs, scenario);
  const { largest } = gathered;
  if (largest === 0) return 0;
  const step = Math.max(1, Math.ceil(largest / STEPS));
  const stepsOf = (pages: number) => Math.ceil(pages / step);
  const hours = hoursOf(gathered, scenario, endUs, stepsOf);
  const given = givenLevels(gathered, scenario, endUs, stepsOf);
  const mostSteps = hours.reduce((most, { inProgress }) => Math.max(most, boundOf(inProgress)), 0) + given.most + STEPS;
  const tails = hours.map(({ inProgress }) => tailOf(inProgress, mostSteps));
  const expected = (limit: number): number =>
    hours.reduce((sum, hour, h) => sum + overshoots(hour, tails[h]!, given, h, limit), 0);
  let low = -1;
  let high = mostSteps;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (expected(middle) <= risk) high = middle;
    else low = middle;
  }
  return high * step;
}

const isPoisson = (scenario: Scenario, kind: number) => scenario.requests[kind]?.rate !== undefined;

/** Of Poisson requests only sums count: there are millions of them. */
interface Gathered {
  readonly largest: number;
  /** By kind and by pages: how many requests, and how long they were in progress together. */
  readonly poisson: readonly Map<number, { count: number; us: number }>[];
  readonly given: readonly Need[];
}

function gather(needs: Iterable<Need>, scenario: Scenario): Gathered {
  const poisson: Map<number, { count: number; us: number }>[] = scenario.requests.map(() => new Map());
  const given: Need[] = [];
  let largest = 0;
  for (const need of needs) {
    const { kind, pages, startUs, endUs } = need;
    largest = Math.max(largest, pages);
    if (!isPoisson(scenario, kind)) {
      given.push(need);
      continue;
    }
    const own = poisson[kind]!.get(pages);
    if (own) {
      own.count++;
      own.us += endUs - startUs;
    } else {
      poisson[kind]!.set(pages, { count: 1, us: endUs - startUs });
    }
  }
  return { largest, poisson, given };
}

function hoursOf({ poisson }: Gathered, scenario: Scenario, endUs: number, stepsOf: (pages: number) => number): Hour[] {
  const counts = scenario.requests.map(() => 0);
  const sums = scenario.requests.map(() => ({ count: new Float64Array(STEPS + 1), us: new Float64Array(STEPS + 1) }));
  for (const [kind, own] of poisson.entries()) {
    for (const [pages, { count, us }] of own) {
      counts[kind]! += count;
      const steps = stepsOf(pages);
      sums[kind]!.count[steps]! += count;
      sums[kind]!.us[steps]! += us;
    }
  }
  const isDaily = scenario.requests.some(({ daily }) => daily !== undefined);
  return Array.from({ length: isDaily ? 24 : 1 }, (_, hour): Hour => {
    const inProgress = new Float64Array(STEPS + 1);
    const perHour = new Float64Array(STEPS + 1);
    scenario.requests.forEach(({ rate, daily }, kind) => {
      if (rate === undefined || counts[kind] === 0) return;
      const mean = daily ? daily.reduce((sum, weight) => sum + weight, 0) / daily.length : 1;
      const perSecond = ratePerSecond(rate)! * (daily ? daily[hour]! / mean : 1);
      for (let steps = 1; steps <= STEPS; steps++) {
        perHour[steps]! += (perSecond * 3600 * sums[kind]!.count[steps]!) / counts[kind]!;
        inProgress[steps]! += ((perSecond / 1e6) * sums[kind]!.us[steps]!) / counts[kind]!;
      }
    });
    return { inProgress, perHour, hours: isDaily ? timesOf(hour, endUs) : endUs / HOUR_US };
  });
}

/** Hours of the day `hour` before a time. */
function timesOf(hour: number, endUs: number): number {
  const days = Math.floor(endUs / (24 * HOUR_US));
  return days + Math.min(1, Math.max(0, endUs / HOUR_US - days * 24 - hour));
}

interface Given {
  readonly most: number;
  /** By hour of the day: shares of its time with so many steps in progress. */
  readonly shares: readonly ReadonlyMap<number, number>[];
  /** … and how often a request begins that makes it so many. */
  readonly begins: readonly ReadonlyMap<number, number>[];
}

/** Requests whose times are given, as they came: what they need together. */
function givenLevels(
  { given }: Gathered,
  scenario: Scenario,
  endUs: number,
  stepsOf: (pages: number) => number,
): Given {
  const isDaily = scenario.requests.some(({ daily }) => daily !== undefined);
  const hourOf = (us: number) => (isDaily ? Math.floor(us / HOUR_US) % 24 : 0);
  const shares = Array.from({ length: isDaily ? 24 : 1 }, () => new Map<number, number>());
  const begins = shares.map(() => new Map<number, number>());
  const changes = given
    .filter(({ pages, startUs }) => pages > 0 && startUs < endUs)
    .flatMap(({ pages, startUs, endUs: end }) => [
      { us: startUs, steps: stepsOf(pages) },
      { us: Math.min(end, endUs), steps: -stepsOf(pages) },
    ])
    .sort((x, y) => x.us - y.us || x.steps - y.steps);
  const add = (map: Map<number, number>, level: number, value: number) => map.set(level, (map.get(level) ?? 0) + value);
  let level = 0;
  let most = 0;
  let fromUs = 0;
  const pass = (us: number) => {
    while (fromUs < us) {
      const next = isDaily ? Math.min(us, (Math.floor(fromUs / HOUR_US) + 1) * HOUR_US) : us;
      add(shares[hourOf(fromUs)]!, level, next - fromUs);
      fromUs = next;
    }
  };
  for (const { us, steps } of changes) {
    pass(us);
    level += steps;
    most = Math.max(most, level);
    if (steps > 0) add(begins[hourOf(us)]!, level, 1);
  }
  pass(endUs);
  for (const own of shares) {
    const all = [...own.values()].reduce((sum, us) => sum + us, 0);
    for (const [key, us] of own) own.set(key, us / all);
  }
  return { most, shares, begins };
}

/** Beginnings that are expected to lead above a limit, in one hour of the day. */
function overshoots({ perHour, hours }: Hour, tail: Float64Array, given: Given, h: number, limit: number): number {
  const above = (steps: number) => (steps < 0 ? 1 : (tail[steps] ?? 0));
  let sum = 0;
  for (const [level, share] of given.shares[h]!)
    for (let steps = 1; steps <= STEPS; steps++)
      if (perHour[steps]! > 0) sum += hours * share * perHour[steps]! * above(limit - level - steps);
  for (const [level, count] of given.begins[h]!) sum += count * above(limit - level);
  return sum;
}

/** Steps that are hardly ever exceeded: the mean and forty deviations. */
function boundOf(inProgress: Float64Array): number {
  let mean = 0;
  let variance = 0;
  inProgress.forEach((count, steps) => {
    mean += count * steps;
    variance += count * steps * steps;
  });
  return Math.ceil(mean + 40 * Math.sqrt(variance));
}

/** By Panjer's recursion: the probability of more than so many steps. */
function tailOf(inProgress: Float64Array, most: number): Float64Array {
  const total = inProgress.reduce((sum, count) => sum + count, 0);
  const probability = new Float64Array(most + 1);
  // Of very many in progress the first probabilities are too small to be written down: they are in proportion alone.
  probability[0] = Math.exp(-Math.min(total, 500));
  for (let n = 1; n <= most; n++) {
    let sum = 0;
    for (let steps = 1; steps <= Math.min(n, STEPS); steps++)
      if (inProgress[steps]! > 0) sum += steps * inProgress[steps]! * probability[n - steps]!;
    probability[n] = sum / n;
    if (probability[n]! > HUGE) for (let i = 0; i <= n; i++) probability[i]! /= HUGE;
  }
  const all = probability.reduce((sum, one) => sum + one, 0);
  const tail = new Float64Array(most + 1);
  let above = 0;
  for (let n = most; n >= 0; n--) {
    tail[n] = above;
    above += probability[n]! / all;
  }
  return tail;
}
