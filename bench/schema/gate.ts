import { z } from 'zod';
import { METRICS } from '../metrics/index.ts';
import { runResultSchema } from './result.ts';

export const SUITE_RESULT_SCHEMA = 'allocsim-suite-result-1';
export const GATE_SCHEMA = 'allocsim-gate-1';

const metricName = z.enum(METRICS.map((m) => m.name) as [string, ...string[]]);

const amount = z.union([z.number().nonnegative(), z.string()]);

/** How much worse a metric may become. Nothing said means not at all. */
export const thresholdSchema = z
  .strictObject({
    percent: z.number().nonnegative().optional().describe('allowed change for the worse, in percent of the base'),
    absolute: amount
      .optional()
      .describe('allowed change for the worse: a number in the metric’s own unit, or a text as in "64 KiB", "5ms"'),
    limit: amount.optional().describe('bound that the value itself must keep, whatever the base, as for absolute'),
  })
  .describe('where both percent and absolute are given, the larger allowance holds');
export type Threshold = z.infer<typeof thresholdSchema>;

const thresholdsSchema = z.partialRecord(metricName, thresholdSchema);

/** `sim gate --config`. */
export const gateConfigSchema = z
  .strictObject({
    $schema: z.string().optional(),
    thresholds: thresholdsSchema.describe('the metrics that are checked, by name'),
    overrides: z
      .array(
        z.strictObject({
          workload: z.string().optional().describe('as in the suite or in the names of runs; * stands for anything'),
          allocator: z
            .string()
            .optional()
            .describe('as in the names of runs; without versions: every version; * stands for anything'),
          thresholds: thresholdsSchema,
        }),
      )
      .optional()
      .describe('for runs that match; later ones win'),
  })
  .describe('what a change may cost before `sim gate` fails');
export type GateConfig = z.infer<typeof gateConfigSchema>;

/** `sim gate --suite`. */
export const suiteSchema = z
  .strictObject({
    $schema: z.string().optional(),
    workloads: z.array(z.string()).min(1).describe('names with parameters, or trace files beside the suite file'),
    allocators: z.array(z.string()).min(1).describe('as in --allocator'),
    modes: z.array(z.enum(['lockstep', 'virtual'])).optional(),
    cpus: z.array(z.number().int().positive()).optional().describe('simulated processors; default: the workload’s own'),
    seeds: z.array(z.number().int()).optional(),
    kernel: z.enum(['6.1', '6.18']).optional(),
    at: z
      .string()
      .optional()
      .describe(
        'up to there, as --at of explain; default: a recording up to where explain judges it, all else to the end',
      ),
  })
  .describe('every workload under every allocator, mode, number of processors and seed');
export type Suite = z.infer<typeof suiteSchema>;

/** What `sim gate --suite … --save` writes. */
export const suiteResultSchema = z.object({
  schema: z.literal(SUITE_RESULT_SCHEMA),
  runs: z.array(runResultSchema),
});

/** What `sim gate --json` writes. */
export const gateResultSchema = z.object({
  schema: z.literal(GATE_SCHEMA),
  first: z.boolean().describe('there is no base: nothing was compared'),
  passed: z.boolean(),
  partial: z.boolean().describe('the suite was interrupted: only what had finished was checked'),
  unmatched: z.array(z.string()).describe('overrides of the configuration that are for none of the runs'),
  checks: z.array(
    z.object({
      run: z.string().describe('what was run: workload, allocator, mode, processors, touch, kernel'),
      workload: z.string(),
      allocator: z.string(),
      metric: z.string(),
      unit: z.enum(['bytes', 'ns', 'count', 'ratio', 'events/s']),
      base: z.number().nullable().describe('median over the seeds'),
      head: z.number().nullable(),
      change: z.number().nullable(),
      allowed: z.number().nullable().describe('change for the worse that the threshold allows'),
      limit: z.number().nullable(),
      status: z.enum(['ok', 'improved', 'regressed', 'over the limit', 'missing', 'new']),
    }),
  ),
});
