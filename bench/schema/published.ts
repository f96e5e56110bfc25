import { z } from 'zod';
import { scenarioSchema } from '../../fleet/scenario/schema.ts';
import { comparisonSchema } from './comparison.ts';
import { explanationSchema } from './explanation.ts';
import { gateConfigSchema, gateResultSchema, suiteResultSchema, suiteSchema } from './gate.ts';
import { machineSchema } from './machine.ts';
import { runResultSchema } from './result.ts';
import { planSchema, sweepSchema, tuneSchema } from './search.ts';

/** Files in schema/, by name: every format that commands write or read as JSON. */
export const PUBLISHED: Readonly<Record<string, z.ZodType>> = {
  result: runResultSchema,
  comparison: comparisonSchema,
  explanation: explanationSchema,
  gate: gateConfigSchema,
  suite: suiteSchema,
  'suite-result': suiteResultSchema,
  'gate-result': gateResultSchema,
  sweep: sweepSchema,
  tune: tuneSchema,
  plan: planSchema,
  machine: machineSchema,
  'machine-scenario': scenarioSchema,
};

/** The text of schema/NAME.json. */
export function publishedText(name: string): string {
  return `${JSON.stringify(z.toJSONSchema(PUBLISHED[name]!, { io: 'input' }), null, 2)}\n`;
}
