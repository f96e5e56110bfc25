import { basename, dirname } from 'node:path';
import { isMap, isScalar, isSeq } from 'yaml';
import { UserError } from '../../sim/contract/assert.ts';
import { issueText, pathOfIssue } from '../../sim/contract/issue-text.ts';
import { durationUs, sizeBytes } from '../../sim/contract/quantities.ts';
import { applyChange, type Change } from './change.ts';
import { contradictionIn } from './contradictions.ts';
import { contentOf, scenarioDocument } from './document.ts';
import { type PoolFile, type ScenarioFile, scenarioSchema } from './schema.ts';

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

/**
 * Reads a scenario (docs/fleet.md, schema/machine-scenario.json), with a change to it. `from` is the file's path, for messages and for paths in it.
 * @throws UserError that names file and line; for a change whose path leads nowhere, the path.
 */
export function parseScenario(text: string, from: string, change: Change = {}): Scenario {
  const { document, lines } = scenarioDocument(text, from);
  applyChange(document, from, change);
  const read = scenarioSchema.safeParse(contentOf(document, lines, from), { reportInput: true });
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
    throw new UserError(`${placeOf(pathOfIssue(issue))}: ${issueText(issue, scenarioSchema)}`);
  }
  const name = read.data.name ?? basename(from).replace(/\.ya?ml$/, '');
  const scenario: Scenario = {
    ...read.data,
    pools: read.data.pools.map(withoutNever),
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

/** A pool as the file says it, without a size to recycle at where that is 0: never, as for max_requests. */
function withoutNever(pool: PoolFile): PoolFile {
  const { recycle, ...rest } = pool;
  return recycle !== undefined && sizeBytes(recycle) === 0 ? rest : pool;
}
