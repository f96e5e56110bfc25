import { bytes, count, counted } from '../../sim/contract/format.ts';
import { durationText, durationUs, sizeBytes } from '../../sim/contract/quantities.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures } from './figures.ts';

type Change = Readonly<Record<string, unknown>>;

const LOAD = /^(requests|logs)\b/;
/** When a burst comes, and within what time: as many come. */
const WHEN = /^requests\.[^.]+\.cron\.(first|over)$/;
/** What pools keep for all their workers: a smaller one keeps less. */
const LOAD_OF_POOLS = /^pools\.[^.]+\.(shared|shared\.[^.]+\.(size|used)|preload\.size)$/;
/** What services do and keep; the rest of them is how they are set up. */
const LOAD_OF_SERVICES =
  /^services\.[^.]+\.(anonymous|shared|grows|rewrites|tmpfs|tmpfs_grows|reads|writes|descriptors_grow|dentries|snapshot\.writes)\b/;

/** Whether a change is one of what is asked of the machine: its requests, the data of its services. */
export function isOfLoad(change: Change): boolean {
  return pathsOf(change).some(
    (path) => (LOAD.test(path) && !WHEN.test(path)) || LOAD_OF_POOLS.test(path) || LOAD_OF_SERVICES.test(path),
  );
}

/** Memory, swap and limits themselves, and who is within them. */
const LIMITS = /^(cgroups|cgroups\.[^.]+\.(max|high)|machine\.(memory|swap)|(pools|services)\.[^.]+\.group)$/;

/** Whether a change is one of how much there is, and not of what is needed: a smaller limit saves nothing. */
export const isOfLimit = (change: Change): boolean => pathsOf(change).some((path) => LIMITS.test(path));

/** A threshold that was changed and that nothing came to in the run; null: there is none. */
export function unreached(change: Change, figures: FleetFigures, scenario: Scenario): string | null {
  const paths = pathsOf(change);
  for (const [i, { name, pm, recycle }] of scenario.pools.entries()) {
    const pool = figures.pools[i]!;
    const isChanged = (key: string) => paths.includes(`pools.${name}.${key}`);
    if (isChanged('pm.max_requests') && pm.max_requests > pool.mostServed)
      return `recycling was not reached in this time (a worker served ${count(pool.mostServed)} requests at most): the row says nothing of it`;
    if (isChanged('recycle') && recycle !== undefined && sizeBytes(recycle)! > 0 && pool.recycledBySize === 0)
      return `recycling was not reached in this time (the largest heap came to ${bytes(pool.heapKeptBytes)} between requests): the row says nothing of it`;
  }
  for (const { name, cron } of scenario.requests)
    if (cron && paths.includes(`requests.${name}.cron.first`) && durationUs(cron.first)! >= scenario.durationUs)
      return `no ${name} comes in this time: the row says nothing of it`;
  return null;
}

/** When workers begin and end: where it is changed, how often they do is what it costs. */
const REPLACED = ['pm.max_requests', 'recycle'];
const BEGUN = ['mode', 'process_idle_timeout', 'start_servers', 'min_spare_servers', 'max_spare_servers'].map(
  (key) => `pm.${key}`,
);

/** How often workers were replaced, or began, where a change says when they do; null: it does not, or none did. */
export function replacedText(change: Change, figures: FleetFigures, scenario: Scenario): string | null {
  const paths = pathsOf(change);
  const untilUs = figures.timesUs.at(-1)!;
  const texts = scenario.pools.flatMap(({ name }, i) => {
    const { recycled, started } = figures.pools[i]!;
    const isChanged = (keys: readonly string[]) => keys.some((key) => paths.includes(`pools.${name}.${key}`));
    const text = (number: number, what: string) =>
      `${counted(number, 'worker')} of ${name} ${what}, one every ${durationText(untilUs / number)} on average, which costs a fork and what a program does at its start (not in the times here)`;
    if (isChanged(REPLACED) && recycled > 0) return [text(recycled, recycled === 1 ? 'was replaced' : 'were replaced')];
    return isChanged(BEGUN) && started > 0 ? [text(started, 'began')] : [];
  });
  return texts.length > 0 ? texts.join('; ') : null;
}

/** Down to single values. */
function pathsOf(change: Change, prefix = ''): string[] {
  return Object.entries(change).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? pathsOf(value as Change, `${prefix}${key}.`)
      : [`${prefix}${key}`],
  );
}
