import { count, counted } from '../../sim/contract/format.ts';
import { durationText, sizeBytes } from '../../sim/contract/quantities.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { FleetFigures } from './figures.ts';

type Change = Readonly<Record<string, unknown>>;

const LOAD = /^(requests|logs)\b/;
/** What services do and keep; the rest of them is how they are set up. */
const LOAD_OF_SERVICES =
  /^services\.[^.]+\.(anonymous|shared|grows|rewrites|tmpfs|tmpfs_grows|reads|writes|descriptors_grow|dentries|snapshot\.writes)\b/;

/** Whether a change is one of what is asked of the machine: its requests, the data of its services. */
export function isOfLoad(change: Change): boolean {
  return pathsOf(change).some((path) => LOAD.test(path) || LOAD_OF_SERVICES.test(path));
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
      return 'recycling was not reached in this time (no worker grew so large): the row says nothing of it';
  }
  return null;
}

/** How often workers were replaced where a change says when they are; null: it does not, or none was. */
export function replacedText(change: Change, figures: FleetFigures, scenario: Scenario): string | null {
  const paths = pathsOf(change);
  const untilUs = figures.timesUs.at(-1)!;
  const texts = scenario.pools.flatMap(({ name }, i) => {
    const { recycled } = figures.pools[i]!;
    const isChanged = ['pm.max_requests', 'recycle'].some((key) => paths.includes(`pools.${name}.${key}`));
    if (!isChanged || recycled === 0) return [];
    return [
      `${counted(recycled, 'worker')} of ${name} ${recycled === 1 ? 'was' : 'were'} replaced, one every ${durationText(untilUs / recycled)} on average, which costs a fork and what a program does at its start (not in the times here)`,
    ];
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
