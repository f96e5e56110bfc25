import { LEAST_MEMORY_MB } from '../../machine/kernel/profile.ts';
import { durationUs, ratePerSecond, sizeBytes } from '../../sim/contract/quantities.ts';
import { pathContradiction } from './path-contradiction.ts';
import type { PoolFile, RequestFile, ScenarioFile, ServiceFile } from './schema.ts';

/** A file that the schema accepts, with its quantities read. */
interface Scenario extends ScenarioFile {
  readonly durationUs: number;
  readonly memoryBytes: number;
}

export interface Contradiction {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** What the schema cannot say: names that refer to nothing, numbers that contradict each other. */
export function contradictionIn(scenario: Scenario): Contradiction | undefined {
  const groups = scenario.cgroups.map((group) => group.name);
  const pools = scenario.pools.map((pool) => pool.name);
  if (scenario.durationUs <= 0)
    return { path: ['duration'], text: `duration: found '${scenario.duration}', expected more than nothing` };
  if (scenario.memoryBytes < LEAST_MEMORY_MB * 2 ** 20)
    return {
      path: ['machine', 'memory'],
      text: `machine.memory: found '${scenario.machine.memory}', expected at least ${LEAST_MEMORY_MB}M`,
    };
  if (scenario.pools.length + scenario.services.length === 0)
    return { path: [], text: 'found neither pools nor services, expected something that runs' };
  const repeated =
    repeatedName('cgroups', scenario.cgroups) ??
    repeatedName('requests', scenario.requests) ??
    repeatedName('settings', scenario.settings) ??
    repeatedName('pools', scenario.pools) ??
    repeatedName('services', scenario.services, pools); // processes are called by them
  if (repeated) return repeated;
  for (const [i, group] of scenario.cgroups.entries()) {
    const parent = group.name.includes('/') ? group.name.slice(0, group.name.lastIndexOf('/')) : undefined;
    if (parent !== undefined && !groups.slice(0, i).includes(parent))
      return {
        path: ['cgroups', i, 'name'],
        text: `cgroups.${i}.name: found '${group.name}', expected its parent '${parent}' before it`,
      };
  }
  for (const [kind, list] of [
    ['pools', scenario.pools],
    ['services', scenario.services],
  ] as const) {
    for (const [i, { group }] of list.entries()) {
      if (group !== undefined && !groups.includes(group))
        return { path: [kind, i, 'group'], text: `${kind}.${i}.group: ${notOneOf(group, groups, 'cgroup')}` };
      if (groups.some((other) => other.startsWith(`${group}/`)))
        return {
          path: [kind, i, 'group'],
          text: `${kind}.${i}.group: found '${group}', expected a cgroup without others below it, as the kernel does`,
        };
    }
  }
  return (
    requestContradiction(scenario.requests, pools) ??
    firstRequestContradiction(scenario) ??
    poolContradiction(scenario.pools) ??
    serviceContradiction(scenario.services) ??
    tooManyRequests(scenario) ??
    tooManySteps(scenario) ??
    pathContradiction(scenario)
  );
}

/** A name that stands twice in a list, or in `taken`. */
function repeatedName(
  kind: string,
  list: readonly { readonly name: string }[],
  taken: readonly string[] = [],
): Contradiction | undefined {
  const known = new Set(taken);
  for (const [i, { name }] of list.entries()) {
    if (known.has(name))
      return { path: [kind, i, 'name'], text: `${kind}.${i}.name: found '${name}' twice, expected names of their own` };
    known.add(name);
  }
  return undefined;
}

const notOneOf = (found: string, names: readonly string[], what: string) =>
  `found '${found}', expected ${names.length > 0 ? `one of ${names.join(', ')}` : `a ${what}, and there is none`}`;

function requestContradiction(requests: readonly RequestFile[], pools: readonly string[]): Contradiction | undefined {
  for (const [i, request] of requests.entries()) {
    const at = (word: string) => ({ path: ['requests', i, word], where: `requests.${i}.${word}: ` });
    const { path, where } = at('pool');
    if (!pools.includes(request.pool)) return { path, text: `${where}${notOneOf(request.pool, pools, 'pool')}` };
    const sources = [request.workload, request.trace].filter((source) => source !== undefined).length;
    if (sources !== 1)
      return {
        path: ['requests', i],
        text: `requests.${i}: found ${sources === 0 ? 'neither workload nor trace' : 'both workload and trace'}, expected one of them`,
      };
    const arrivals = [request.rate, request.cron, request.log].filter((way) => way !== undefined).length;
    if (arrivals !== 1)
      return {
        path: ['requests', i],
        text: `requests.${i}: found ${arrivals} of rate, cron and log, expected one of them`,
      };
    const logContradiction = logWordsContradiction(request, i);
    if (logContradiction) return logContradiction;
    if (request.daily && request.rate === undefined)
      return { path: ['requests', i, 'daily'], text: `requests.${i}.daily: found it without a rate, expected both` };
    if (request.daily && !request.daily.some((weight) => weight > 0))
      return {
        path: ['requests', i, 'daily'],
        text: `requests.${i}.daily: found 0 for every hour, expected one above 0`,
      };
    const every = request.cron?.every;
    if (every !== undefined && durationUs(every)! <= 0)
      return {
        path: ['requests', i, 'cron', 'every'],
        text: `requests.${i}.cron.every: found '${every}', expected more than nothing`,
      };
  }
  return undefined;
}

/** `match` and `share` of a request. */
function logWordsContradiction({ log, match, share }: RequestFile, i: number): Contradiction | undefined {
  if (log === undefined && (match !== undefined || share !== undefined)) {
    const word = match === undefined ? 'share' : 'match';
    return { path: ['requests', i, word], text: `requests.${i}.${word}: found it without a log, expected both` };
  }
  try {
    if (match !== undefined) new RegExp(match);
  } catch (error) {
    const why = (error as Error).message.replace(/^Invalid regular expression: /, '');
    return { path: ['requests', i, 'match'], text: `requests.${i}.match: found ${why}, expected a regular expression` };
  }
  return undefined;
}

/** All arrivals are drawn before the first: a few bytes each. */
const MAX_REQUESTS = 50_000_000;
const MAX_STEPS = 50_000_000;

function tooManyRequests({ requests, durationUs: lastsUs, duration }: Scenario): Contradiction | undefined {
  let sum = 0;
  for (const [i, { rate, cron }] of requests.entries()) {
    if (rate !== undefined) sum += (ratePerSecond(rate)! * lastsUs) / 1e6;
    if (cron) sum += Math.ceil(Math.max(0, lastsUs - durationUs(cron.first)!) / durationUs(cron.every)!) * cron.count;
    if (sum <= MAX_REQUESTS) continue;
    const word = rate === undefined ? 'cron' : 'rate';
    return {
      path: ['requests', i, word],
      text: `requests.${i}.${word}: found ${Math.round(sum)} requests up to here in ${duration}, expected at most ${MAX_REQUESTS}`,
    };
  }
  return undefined;
}

/** `first` and `served` of a pool. */
function firstRequestContradiction({ pools, requests }: Scenario): Contradiction | undefined {
  for (const [i, pool] of pools.entries()) {
    const isRecorded = pool.recorded !== undefined;
    if (pool.served !== undefined && !isRecorded)
      return { path: ['pools', i, 'served'], text: `pools.${i}.served: found it without recorded, expected both` };
    if (pool.first.length > 0 && isRecorded && pool.served === undefined)
      return {
        path: ['pools', i, 'first'],
        text: `pools.${i}.first: found it without served, which says what each request was`,
      };
    const names = requests.flatMap((request) => (request.pool === pool.name ? [request.name] : []));
    for (const [j, { request }] of pool.first.entries()) {
      if (isRecorded || names.includes(request)) continue;
      const path = ['pools', i, 'first', j, 'request'];
      return { path, text: `${path.join('.')}: ${notOneOf(request, names, 'request of the pool')}` };
    }
  }
  return undefined;
}

function tooManySteps({ services, durationUs: lastsUs, duration }: Scenario): Contradiction | undefined {
  for (const [i, { every, snapshot }] of services.entries()) {
    for (const [path, step] of [
      [['services', i, 'every'], every],
      [['services', i, 'snapshot', 'every'], snapshot?.every],
    ] as const) {
      const steps = step === undefined ? 0 : Math.ceil(lastsUs / durationUs(step)!);
      if (steps > MAX_STEPS)
        return { path, text: `${path.join('.')}: found ${steps} steps in ${duration}, expected at most ${MAX_STEPS}` };
    }
  }
  return undefined;
}

function poolContradiction(pools: readonly PoolFile[]): Contradiction | undefined {
  for (const [i, { pm, shared }] of pools.entries()) {
    const limits = {
      start_servers: pm.start_servers,
      min_spare_servers: pm.min_spare_servers,
      max_spare_servers: pm.max_spare_servers,
    };
    for (const [word, value] of Object.entries(limits)) {
      if (value !== undefined && value > pm.max_children)
        return {
          path: ['pools', i, 'pm', word],
          text: `pools.${i}.pm.${word}: found ${value}, expected at most max_children (${pm.max_children})`,
        };
    }
    const { min_spare_servers: low = 1, max_spare_servers: high = pm.max_children } = pm;
    if (low > high)
      return {
        path: ['pools', i, 'pm'],
        text: `pools.${i}.pm: found min_spare_servers ${low}, expected at most max_spare_servers (${high})`,
      };
    for (const [j, region] of shared.entries()) {
      if (region.used !== undefined && sizeBytes(region.used)! > sizeBytes(region.size)!)
        return {
          path: ['pools', i, 'shared', j, 'used'],
          text: `pools.${i}.shared.${j}.used: found '${region.used}', expected at most its size (${region.size})`,
        };
    }
  }
  return undefined;
}

function serviceContradiction(services: readonly ServiceFile[]): Contradiction | undefined {
  for (const [i, { every, snapshot }] of services.entries()) {
    if (durationUs(every)! <= 0)
      return {
        path: ['services', i, 'every'],
        text: `services.${i}.every: found '${every}', expected more than nothing`,
      };
    if (snapshot && durationUs(snapshot.every)! <= durationUs(snapshot.takes)!)
      return {
        path: ['services', i, 'snapshot'],
        text: `services.${i}.snapshot: found one that takes ${snapshot.takes}, every ${snapshot.every}; expected it to end before the next`,
      };
  }
  return undefined;
}
