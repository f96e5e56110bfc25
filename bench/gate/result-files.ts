import { UserError } from '../../sim/contract/assert.ts';
import { readJson } from '../../workloads/files/json-file.ts';
import { COMPARISON_SCHEMA } from '../metrics/comparison.ts';
import { RESULT_SCHEMA, type RunResult } from '../run/result.ts';
import { comparisonSchema } from '../schema/comparison.ts';
import { SUITE_RESULT_SCHEMA, suiteResultSchema } from '../schema/gate.ts';
import { parseResult, parseWith } from '../schema/result.ts';

/** The runs in a file that `run`, `compare` or `gate --save` wrote, or in an array of such results. */
export function readResults(path: string): RunResult[] {
  return resultsIn(readJson(path), path);
}

function resultsIn(value: unknown, source: string): RunResult[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => resultsIn(item, `${source}[${i}]`));
  const schema = (value as { schema?: unknown } | null)?.schema;
  switch (schema) {
    case RESULT_SCHEMA:
      return [parseResult(value, source)];
    case SUITE_RESULT_SCHEMA:
      return parseWith(suiteResultSchema, value, source).runs as RunResult[];
    case COMPARISON_SCHEMA:
      return parseWith(comparisonSchema, value, source).runs.flat() as RunResult[];
    default:
      throw new UserError(
        `${source}: found schema ${JSON.stringify(schema)}, expected ${RESULT_SCHEMA}, ${COMPARISON_SCHEMA} or ${SUITE_RESULT_SCHEMA}`,
      );
  }
}
