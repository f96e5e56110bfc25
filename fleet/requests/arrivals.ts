import { durationUs, ratePerSecond } from '../../sim/contract/quantities.ts';
import { createRandom, type Random } from '../../sim/contract/random.ts';
import { atOnce, BREATH_STEPS } from '../../workloads/breathing.ts';
import type { RequestFile, Scenario } from '../scenario/scenario.ts';
import { FILE_SOURCES, type FleetSources } from '../scenario/sources.ts';
import { type LogUse, logArrivals } from './arrival-logs.ts';

/** Requests of all kinds in the order of their arrival. Times are microseconds from the start. */
export interface Arrivals {
  readonly count: number;
  readonly atUs: Float64Array;
  /** Index among the scenario's requests. */
  readonly kind: Uint16Array;
  readonly variant: Uint16Array;
  /** How long a worker is busy with it. */
  readonly busyUs: Float64Array;
  /** What the logs gave that requests arrive by. */
  readonly logs: readonly LogUse[];
}

const HOUR_US = 3600e6;

/** Every request of the scenario. The same seed gives the same ones; a kind's do not depend on the other kinds. */
export const arrivalsOf = (scenario: Scenario, sources: FleetSources = FILE_SOURCES): Arrivals =>
  atOnce(drawArrivals(scenario, sources));

/** The same in steps, so that whoever waits may breathe. */
export function* drawArrivals(scenario: Scenario, sources: FleetSources): Generator<void, Arrivals> {
  const logged = yield* logArrivals(scenario, sources);
  const lists: Float64Array[] = [];
  for (const [number, request] of scenario.requests.entries())
    lists.push(
      request.log === undefined
        ? yield* timesOf(request, scenario)
        : (logged.timesUs.get(number) ?? new Float64Array(0)),
    );
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  const order = new Float64Array(count);
  const kinds = new Uint16Array(count);
  const next = lists.map(() => 0);
  for (let i = 0; i < count; i++) {
    if (i % BREATH_STEPS === 0) yield;
    let first = -1;
    for (let k = 0; k < lists.length; k++) {
      if (next[k]! < lists[k]!.length && (first < 0 || lists[k]![next[k]!]! < lists[first]![next[first]!]!)) first = k;
    }
    order[i] = lists[first]![next[first]!++]!;
    kinds[i] = first;
  }
  const draws = scenario.requests.map(({ name }) => createRandom(scenario.seed, `fleet/request/${name}`));
  const variant = new Uint16Array(count);
  const busyUs = new Float64Array(count);
  const timesUs = scenario.requests.map(({ time }) => durationUs(time)!);
  for (let i = 0; i < count; i++) {
    if (i % BREATH_STEPS === 0) yield;
    const request = scenario.requests[kinds[i]!]!;
    const random = draws[kinds[i]!]!;
    if (request.variants > 1) variant[i] = random.integer(0, request.variants - 1);
    const spread = request.spread > 0 ? 1 + request.spread * (2 * random.next() - 1) : 1;
    busyUs[i] = Math.max(1, Math.round(timesUs[kinds[i]!]! * spread));
  }
  return { count, atUs: order, kind: kinds, variant, busyUs, logs: logged.uses };
}

function* timesOf(request: RequestFile, scenario: Scenario): Generator<void, Float64Array> {
  const random = createRandom(scenario.seed, `fleet/arrivals/${request.name}`);
  if (request.cron) return cronTimes(request.cron, scenario.durationUs);
  return yield* poissonTimes(ratePerSecond(request.rate!)!, request.daily, scenario.durationUs, random);
}

function cronTimes(cron: NonNullable<RequestFile['cron']>, endUs: number): Float64Array {
  const every = durationUs(cron.every)!;
  const over = durationUs(cron.over)!;
  const times: number[] = [];
  for (let at = durationUs(cron.first)!; at < endUs; at += every) {
    for (let i = 0; i < cron.count; i++) {
      const time = Math.floor(at + (over * i) / cron.count);
      if (time < endUs) times.push(time);
    }
  }
  return Float64Array.from(times).sort();
}

/** Poisson arrivals whose rate follows the hours of the day: by thinning, from the hour with the highest weight. */
function* poissonTimes(
  perSecond: number,
  daily: readonly number[] | undefined,
  endUs: number,
  random: Random,
): Generator<void, Float64Array> {
  const mean = daily ? daily.reduce((sum, weight) => sum + weight, 0) / daily.length : 1;
  const weights = daily?.map((weight) => weight / mean);
  const highest = weights ? Math.max(...weights) : 1;
  if (perSecond * highest === 0) return new Float64Array(0);
  const gapUs = 1e6 / (perSecond * highest);
  const times: number[] = [];
  for (let at = 0; ; ) {
    at += -Math.log(1 - random.next()) * gapUs;
    if (at >= endUs) break;
    if (weights && random.next() * highest >= weights[Math.floor(at / HOUR_US) % 24]!) continue;
    if (times.push(Math.floor(at)) % BREATH_STEPS === 0) yield;
  }
  return Float64Array.from(times);
}
