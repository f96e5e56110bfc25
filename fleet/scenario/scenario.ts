import { basename, dirname } from 'node:path';
import { isMap, isScalar, isSeq } from 'yaml';
import type { z } from 'zod';
import { LEAST_MEMORY_MB } from '../../machine/kernel/profile.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { nearest } from '../../sim/contract/suggestion.ts';
import { applyChange, type Change } from './change.ts';
import { contentOf, scenarioDocument } from './document.ts';
import { pathContradiction } from './path-contradiction.ts';
import { durationUs, sizeBytes } from './quantities.ts';
import { type PoolFile, type RequestFile, type ScenarioFile, type ServiceFile, scenarioSchema } from './schema.ts';

export type { PoolFile, RequestFile, ServiceFile } from './schema.ts';

/** A scenario as its file says, with where it came from. */
export interface Scenario extends ScenarioFile {
  readonly name: string;
  /** The folder that paths in the file start from. */
  readonly folder: string;
  readonly durationUs: number;
  readonly memoryBytes: number;
  /** File and line of a part, for messages: by its path, with numbers for parts of lists. */
  readonly placeOf: (path: readonly PropertyKey[]) => string;
}

/** Whether a text is a scenario of this kind rather than a script of commands. */
export function looksLikeScenario(text: string): boolean {
  return /^(?:machine|pools|duration|requests|services)\s*:/m.test(text);
}

/**
 * Reads a scenario (docs/fleet.md, schema/machine-scenario.json), with a change to it. `from` is the file's path, for messages and for paths in it.
 * @throws UserError that names file and line; for a change whose path leads nowhere, the path.
 */
export function parseScenario(text: string, from: string, change: Change = {}): Scenario {
  const { document, lines } = scenarioDocument(text, from);
  applyChange(document, from, change);
  const read = scenarioSchema.safeParse(contentOf(document, from));
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let depth = path.length; depth >= 0; depth--) {
      const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
      if ((isMap(node) || isScalar(node) || isSeq(node)) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  const placeOf = (path: readonly PropertyKey[]) => `${from}:${lineOf(path)}`;
  if (!read.success) {
    const { issues } = read.error;
    // A word that is not known explains why another one is missing.
    const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
    throw new UserError(`${placeOf(pathOf(issue))}: ${issueText(issue)}`);
  }
  const name = read.data.name ?? basename(from).replace(/\.ya?ml$/, '');
  const scenario: Scenario = {
    ...read.data,
    name,
    folder: dirname(from),
    durationUs: durationUs(read.data.duration)!,
    memoryBytes: sizeBytes(read.data.machine.memory)!,
    placeOf,
  };
  const wrong = contradictionIn(scenario);
  if (wrong) throw new UserError(`${placeOf(wrong.path)}: ${wrong.text}`);
  return scenario;
}

/** Where an unknown word is the fault, the word itself. */
function pathOf(issue: z.core.$ZodIssue): PropertyKey[] {
  return issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
}

function issueText(issue: z.core.$ZodIssue): string {
  const at = issue.path.map(String).join('.');
  const where = at === '' ? '' : `${at}: `;
  if (issue.code === 'unrecognized_keys') {
    const word = issue.keys[0]!;
    const known = wordsAt(issue.path);
    const near = nearest(word, known);
    return `${where}found '${word}', expected ${near ? `'${near}'` : `one of ${known.join(', ')}`}`;
  }
  if (issue.code === 'invalid_type')
    return `${where}${issue.message.replace(/^Invalid input: /, '').replace('undefined', 'nothing')}`;
  return `${where}${issue.message.replace(/^Invalid (option|input): /, '')}`;
}

/** The words that the schema knows at a path. */
function wordsAt(path: readonly PropertyKey[]): string[] {
  let at: unknown = scenarioSchema;
  for (const step of path) {
    at = bare(at);
    const shape = (at as { shape?: Record<string, unknown> }).shape;
    at = typeof step === 'number' ? (at as { element?: unknown }).element : shape?.[String(step)];
    if (at === undefined) return [];
  }
  return Object.keys((bare(at) as { shape?: Record<string, unknown> }).shape ?? {});
}

/** Without what makes it optional or gives it a default. */
function bare(schema: unknown): unknown {
  let at = schema as { unwrap?: () => unknown; shape?: unknown; element?: unknown };
  while (at.shape === undefined && at.element === undefined && at.unwrap) at = at.unwrap() as typeof at;
  return at;
}

interface Contradiction {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** What the schema cannot say: names that refer to nothing, numbers that contradict each other. */
function contradictionIn(scenario: Scenario): Contradiction | undefined {
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
        text: `requests.${i}: found ${sources === 0 ? 'neither' : 'both'} workload and trace, expected one of them`,
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
      return { path: ['requests', i, 'daily'], text: `requests.${i}.daily: found it without a rate` };
    if (request.daily && !request.daily.some((weight) => weight > 0))
      return { path: ['requests', i, 'daily'], text: `requests.${i}.daily: found no hour above 0` };
    if (request.cron && durationUs(request.cron.every)! <= 0)
      return { path: ['requests', i, 'cron', 'every'], text: `requests.${i}.cron.every: expected more than nothing` };
  }
  return undefined;
}

/** `match` and `share` of a request. */
function logWordsContradiction({ log, match, share }: RequestFile, i: number): Contradiction | undefined {
  if (log === undefined && (match !== undefined || share !== undefined)) {
    const word = match === undefined ? 'share' : 'match';
    return { path: ['requests', i, word], text: `requests.${i}.${word}: found it without a log` };
  }
  try {
    if (match !== undefined) new RegExp(match);
  } catch (error) {
    return { path: ['requests', i, 'match'], text: `requests.${i}.match: ${(error as Error).message}` };
  }
  return undefined;
}

/** `first` and `served` of a pool. */
function firstRequestContradiction({ pools, requests }: Scenario): Contradiction | undefined {
  for (const [i, pool] of pools.entries()) {
    const isRecorded = pool.recorded !== undefined;
    if (pool.served !== undefined && !isRecorded)
      return { path: ['pools', i, 'served'], text: `pools.${i}.served: found it without recorded` };
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
        text: `pools.${i}.pm: found min_spare_servers ${low} above max_spare_servers ${high}`,
      };
    for (const [j, region] of shared.entries()) {
      if (region.used !== undefined && sizeBytes(region.used)! > sizeBytes(region.size)!)
        return {
          path: ['pools', i, 'shared', j, 'used'],
          text: `pools.${i}.shared.${j}.used: found more than its size`,
        };
    }
  }
  return undefined;
}

function serviceContradiction(services: readonly ServiceFile[]): Contradiction | undefined {
  for (const [i, { every, snapshot }] of services.entries()) {
    if (durationUs(every)! <= 0)
      return { path: ['services', i, 'every'], text: `services.${i}.every: expected more than nothing` };
    if (snapshot && durationUs(snapshot.every)! <= durationUs(snapshot.takes)!)
      return {
        path: ['services', i, 'snapshot'],
        text: `services.${i}.snapshot: found one that takes ${snapshot.takes}, every ${snapshot.every}; expected it to end before the next`,
      };
  }
  return undefined;
}
