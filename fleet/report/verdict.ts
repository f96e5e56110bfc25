import { bytes, count, counted, percent } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import { isWithin } from '../machine/worst-moments.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { noCeilingText, recyclingCeiling } from './climbing-finding.ts';
import { copiedFinding, copyingFinding } from './copies-finding.ts';
import { destinationOf, WHOLE } from './destination.ts';
import type { FleetFigures, PoolFigures } from './figures.ts';
import type { Finding, Severity } from './finding.ts';
import { groupFindings, isHeldUp } from './group-finding.ts';
import { growingFinding } from './growing-finding.ts';
import { layerText } from './heap-text.ts';
import { killFindings } from './kill-finding.ts';
import { limitOf, nearestLimit, trendTo } from './limits.ts';
import { burstFinding, machineFindings } from './machine-finding.ts';
import { isBarely, leftText, limitText, marginsOf, tightest } from './margin.ts';
import { ceilingOf, isOfCopies } from './pool-ceiling.ts';
import { serviceFindings } from './service-finding.ts';
import { refusedOf, servingFindings } from './serving-finding.ts';
import { sharingFindings } from './sharing-finding.ts';
import { snapshotNeed } from './snapshot-finding.ts';
import { sinceText } from './trend.ts';

export interface Verdict {
  readonly severity: Severity;
  /** One sentence: what becomes of the machine. */
  readonly summary: string;
  readonly findings: readonly Finding[];
}

const ORDER: readonly Severity[] = ['fails', 'ends', 'watch', 'fine'];

/** The answer in words: what climbs, since when, towards what, in which layer, why, and what the ceiling is. */
export function verdictOf(figures: FleetFigures, scenario: Scenario, partial = false): Verdict {
  if (partial && figures.timesUs.at(-1) === 0)
    return { severity: 'watch', summary: summaryOf([], figures, scenario, partial), findings: [] };
  const findings = [
    ...killFindings(figures, scenario, knownNeed(figures, scenario)),
    ...refusalFindings(figures, scenario),
    ...figures.groups.flatMap((group) => groupFindings(group, figures, scenario)),
    ...figures.pools.flatMap((pool) => poolFindings(pool, figures, scenario)),
    ...figures.services.flatMap((service, i) =>
      serviceFindings(service, scenario.services[i]!, figures, scenario.machine.thp === 'always'),
    ),
    ...burstFinding(figures),
    ...machineFindings(figures),
  ].sort((x, y) => ORDER.indexOf(x.severity) - ORDER.indexOf(y.severity));
  const severity = findings[0]?.severity ?? 'fine';
  return { severity, summary: summaryOf(findings, figures, scenario, partial), findings };
}

function summaryOf(findings: readonly Finding[], figures: FleetFigures, scenario: Scenario, partial: boolean): string {
  const margin = tightest(marginsOf(figures));
  const untilUs = figures.timesUs.at(-1)!;
  const length = durationText(untilUs);
  if (figures.kills > 0)
    return `It does not hold: ${counted(figures.kills, 'process', 'processes')} ${figures.kills === 1 ? 'was' : 'were'} killed for want of memory, the first after ${durationText(figures.firstKill!.atUs)}.`;
  if (figures.refusals.length > 0) return 'It does not hold: the kernel refused memory, or a fork, that was asked for.';
  if (partial && untilUs === 0)
    return 'Nothing is known beyond the start: it was interrupted while the requests were still being replayed.';
  if (partial)
    return `It holds for the first ${length} of ${durationText(scenario.durationUs)}; what comes later was not looked at.`;
  const left = `${leftText(margin)} of ${limitText(margin)}`;
  const refused = refusedOf(figures);
  if (refused > 0)
    return `Nobody is killed in ${length}, but ${counted(refused, 'request')} ${refused === 1 ? 'was' : 'were'} refused, since the queue was full${findings[0]?.severity === 'ends' ? ', and something climbs to a limit' : ''} (at the worst moment ${left} are left).`;
  const heldUp = figures.groups.filter(isHeldUp).map(({ name }) => name);
  if (heldUp.length > 0)
    return `Nobody is killed in ${length}, but ${heldUp.join(', ')} is held up: it stands above its memory.high by what reclaim cannot take.`;
  if (findings[0]?.severity === 'ends')
    return `It holds for ${length}, but not for good: something climbs to a limit (at the worst moment ${left} are left).`;
  if (isBarely(margin)) return `It holds for ${length}, but barely: at the worst moment ${left} are left.`;
  if (findings.some(({ course }) => course !== undefined))
    return `It holds for ${length}, but something climbs, and this run does not tell where that ends (at the worst moment ${left} are left).`;
  return `It holds for ${length}, and nothing says that it would not go on: at the worst moment ${left} are left.`;
}

/** What was followed. */
const lengthOf = ({ timesUs }: FleetFigures) => timesUs.at(-1)!;

function poolFindings(pool: PoolFigures, figures: FleetFigures, scenario: Scenario): Finding[] {
  const found: Finding[] = [];
  const { trend, kept } = pool.privateBytes;
  const file = scenario.pools.find(({ name }) => name === pool.name)!;
  const ceiling = ceilingText(pool, file.pm.max_children);
  const limit = nearestLimit(file.group, figures);
  const wasKilled = figures.killed.some((name) => name === pool.name || name.startsWith(`${pool.name}-`));
  const atKill = figures.firstKill?.pools[figures.pools.indexOf(pool)];
  if (wasKilled)
    found.push({
      severity: 'watch',
      about: pool.name,
      text: `The workers of ${pool.name} had ${bytes(atKill?.privateBytes ?? trend.highestBytes)} of private memory when somebody was killed first (at samples ${bytes(trend.highestBytes)} at most). ${isOfCopies(pool, trend.highestBytes) ? 'Most of it was copies of what is preloaded. ' : layerText(pool, true)}${ceiling}`,
    });
  else if (pool.isClimbing) found.push(climbing(pool, figures, scenario));
  else if (kept.shape === 'levels off' && isOfCopies(pool, kept.riseBytes))
    found.push({
      severity: 'fine',
      about: pool.name,
      text: `What the workers of ${pool.name} keep of private memory between requests rises from ${bytes(kept.firstBytes)} to ${bytes(kept.lastBytes)}, nearly all of it by ${durationText(kept.settledUs)} (at most ${bytes(pool.mostPrivateBytes)}): most of that is copies of what is preloaded, and there are no more where all of it is copied. ${ceiling}`,
    });
  else if (kept.shape === 'climbs')
    found.push({
      severity: 'fine',
      about: pool.name,
      text: `What the workers of ${pool.name} keep of private memory between requests rises from ${bytes(kept.firstBytes)} to ${bytes(kept.lastBytes)}, since more of them are there at the end (at most ${pool.mostWorkers} at once, max_children is ${count(file.pm.max_children)}): what each keeps does not climb. ${layerText(pool)}${ceiling}`,
    });
  else if (kept.shape === 'levels off')
    found.push({
      severity: 'fine',
      about: pool.name,
      text: `What the workers of ${pool.name} keep of private memory between requests rises from ${bytes(kept.firstBytes)} to ${bytes(kept.lastBytes)}, nearly all of it by ${durationText(kept.settledUs)}, ${kept.stays ? 'and stays there' : `and goes up and down after that (at most ${bytes(pool.mostPrivateBytes)})`}: ${file.pm.mode === 'static' ? `each worker takes ${kept.stays ? 'a step when it first serves the largest request, and no further one' : 'its one large step when it first serves the largest request'}` : `it follows the number of workers (at most ${pool.mostWorkers} at once)`}. ${layerText(pool)}${ceiling}`,
    });
  else
    found.push({
      severity: 'fine',
      about: pool.name,
      text: `The workers of ${pool.name} keep ${bytes(kept.lastBytes)} of private memory between requests at the end, and that does not climb (${bytes(pool.mostPrivateBytes)} at most with requests in progress). ${layerText(pool)}${ceiling}`,
    });
  found.push(...pool.growing.map((region) => growingFinding(region, pool, limit, wasKilled)));
  if (pool.preloadBytes > 0) found.push(copiedFinding(pool, wasKilled, limit, file));
  found.push(...sharingFindings(pool, figures, limit), ...servingFindings(pool, file));
  if (pool.failures > 0)
    found.push({
      severity: 'watch',
      about: pool.name,
      text: `${counted(pool.failures, 'allocation')} of distinct requests of ${pool.name} failed (a limit of the allocator or of PHP was reached).`,
    });
  return found;
}

/** What the limit at which somebody was killed first would have to be, as far as copies of what is preloaded, or of a snapshot, tell it. */
function knownNeed(figures: FleetFigures, scenario: Scenario): number {
  const group = figures.groups.find(({ name }) => name === figures.firstKill?.group);
  if (!group || group.maxBytes === null) return 0;
  const limit = limitOf(group, group.maxBytes);
  const needs = figures.pools.map((pool, i) =>
    pool.preloadBytes > 0 && isWithin(scenario.pools[i]!.group, group.name)
      ? ceilingOf(pool, scenario.pools[i]!, limit).bytes
      : 0,
  );
  const snapshots = figures.services.map((series, i) =>
    snapshotNeed(series, scenario.services[i]!, figures, group.name),
  );
  return Math.max(0, ...needs, ...snapshots);
}

function climbing(pool: PoolFigures, figures: FleetFigures, scenario: Scenario): Finding {
  const trend = pool.privateBytes.kept;
  const file = scenario.pools.find(({ name }) => name === pool.name)!;
  const nearest = nearestLimit(file.group, figures);
  if (isOfCopies(pool, trend.riseBytes) && !pool.isHeapClimbing) return copyingFinding(pool, file, figures, nearest);
  const toLimit = trendTo(trend, nearest);
  const ceiling = recyclingCeiling(pool, file, nearest);
  const climbs = `What the workers of ${pool.name} keep of private memory between requests climbs ${sinceText(trend, lengthOf(figures))}, by ${bytes(trend.perHourBytes)} an hour at the end (${bytes(trend.firstBytes)} → ${bytes(trend.lastBytes)})`;
  const both = isOfCopies(pool, trend.riseBytes)
    ? `${bytes(pool.copiedBytes * pool.workers)} of it is copies of preloaded pages, which come to an end; the heaps climb beside them. `
    : '';
  if (ceiling && ceiling.bytes <= nearest.bytes)
    return {
      severity: figures.kills > 0 ? 'fails' : 'watch',
      about: pool.name,
      ...(ceiling.bytes > 0.95 * nearest.bytes && {
        course: `climbs: its ceiling is ${percent(ceiling.bytes / nearest.bytes)} of ${nearest.what}`,
      }),
      text: `${climbs}. ${both}${layerText(pool)}${ceiling.text}`,
    };
  const { isBelow, course, text } = destinationOf(toLimit, nearest, lengthOf(figures), WHOLE);
  return {
    severity: figures.kills > 0 ? 'fails' : toLimit.isSteady && !isBelow ? 'ends' : 'watch',
    about: pool.name,
    ...course,
    text: `${climbs}, ${text}. ${both}${layerText(pool)}${ceiling?.text ?? noCeilingText(pool, file, isBelow)}`,
  };
}

function ceilingText(pool: PoolFigures, children: number): string {
  const each = (size: number) => `${bytes(size * children)} (${bytes(size)} each)`;
  const { heapKeptBytes, heapPeakBytes } = pool;
  const within =
    bytes(heapPeakBytes) === bytes(heapKeptBytes)
      ? ', in the middle of a request too'
      : `, and to ${each(heapPeakBytes)} if all of them were in the middle of the largest request at once`;
  return `The heaps of ${children} workers, which is not all of their private memory, come to ${each(heapKeptBytes)} at most between requests${within}.`;
}

function refusalFindings({ refusals }: FleetFigures, scenario: Scenario): Finding[] {
  const { overcommit } = scenario.machine;
  const cure =
    overcommit === 2
      ? 'with vm.overcommit_memory=2 all promises together must fit below CommitLimit (half of memory, and swap): set it to 0 or 1, raise vm.overcommit_ratio, or add swap'
      : 'one mapping alone is larger than memory and swap together, which vm.overcommit_memory=0 refuses';
  return [...new Set(refusals.map(({ text }) => text))].map((text) => {
    const own = refusals.filter((one) => one.text === text);
    const often = own.length > 1 ? ` (${counted(own.length, 'time')})` : '';
    return { severity: 'fails', about: own[0]!.who, text: `${text}${often}: ${cure}.` };
  });
}
