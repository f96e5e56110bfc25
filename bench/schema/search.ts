import { z } from 'zod';
import { PLAN_SCHEMA } from '../study/plan/plan.ts';
import { SWEEP_SCHEMA } from '../study/sweep/sweep.ts';
import { TUNE_SCHEMA } from '../study/tune/tune.ts';
import { runDescriptionSchema } from './result.ts';

const bytes = z.number().describe('bytes');
const { mode } = runDescriptionSchema.shape;

const spreadSchema = z.object({
  values: z.array(z.number()).describe('one for each seed'),
  median: z.number(),
  min: z.number(),
  max: z.number(),
});

/** What `sim sweep --json` writes. */
export const sweepSchema = z.object({
  schema: z.literal(SWEEP_SCHEMA),
  workload: z.string(),
  partial: z.boolean().describe('interrupted: only what had finished'),
  mode,
  seeds: z.array(z.number().int()),
  metrics: z.array(z.string()),
  points: z
    .array(
      z.object({
        allocator: z.string(),
        cpus: z.number().int(),
        figures: z.record(z.string(), spreadSchema.nullable()).describe('by metric'),
        front: z.boolean().describe('no other point is as good in every metric and better in one'),
        failed: z.boolean().describe('the real program would have aborted, or an allocation failed'),
      }),
    )
    .describe('best first, by the first metric'),
});

const tunePoint = z.object({ allocator: z.string(), value: z.number() });

/** What `sim tune --json` writes. */
export const tuneSchema = z.object({
  schema: z.literal(TUNE_SCHEMA),
  workload: z.string(),
  partial: z.boolean().describe('interrupted: only what had finished'),
  objective: z.string().describe('a metric'),
  from: tunePoint,
  best: tunePoint,
  steps: z.array(tunePoint.extend({ runs: z.number().int() })).describe('each improvement, in order'),
  runs: z.number().int(),
  settled: z.boolean().describe('no single option makes it better any more'),
  kept: z.array(z.object({ metric: z.string(), from: z.number().nullable(), best: z.number().nullable() })),
});

/** What `sim plan --json` writes. */
export const planSchema = z.object({
  schema: z.literal(PLAN_SCHEMA),
  workload: z.string(),
  partial: z.boolean().describe('interrupted: only what had finished'),
  mode,
  memory: bytes.describe('for all processes together'),
  extra: bytes.describe('of each process beside its heap'),
  processes: z.number().int().nullable(),
  risk: z.number().describe('probability to exceed the memory at a moment'),
  rows: z.array(
    z.object({
      allocator: z.string(),
      meanBytes: bytes,
      deviationBytes: bytes,
      peakBytes: bytes,
      virtualNs: z.number().nullable(),
      fitsAtPeak: z.number().nullable().describe('null where nothing is needed'),
      fitsIndependent: z.number().int(),
      needsAtPeakBytes: bytes.nullable(),
      needsIndependentBytes: bytes.nullable(),
    }),
  ),
});
