import { z } from 'zod';
import { PLAN_SCHEMA } from '../study/plan/plan.ts';
import { SWEEP_SCHEMA } from '../study/sweep/sweep.ts';
import { TUNE_SCHEMA } from '../study/tune/tune.ts';
import { runDescriptionSchema } from './result.ts';

const bytes = z.number().describe('bytes');
const { mode, pace } = runDescriptionSchema.shape;

const moment = z
  .object({ event: z.number().int().describe('events executed'), about: z.string() })
  .nullable()
  .describe('the moment that every figure is up to; null: the end of the workload');

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
  moment,
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

const namedValue = z.object({ allocator: z.string(), value: z.number() });

/** What `sim tune --json` writes. */
export const tuneSchema = z.object({
  schema: z.literal(TUNE_SCHEMA),
  workload: z.string(),
  partial: z.boolean().describe('interrupted: only what had finished'),
  mode,
  pace,
  moment,
  objective: z.string().describe('a metric'),
  from: namedValue,
  best: namedValue,
  steps: z.array(namedValue.extend({ runs: z.number().int() })).describe('each improvement, in order'),
  runs: z.number().int().describe('of the search'),
  settled: z.boolean().describe('no single option, and no two that work on the same thing, make it better any more'),
  bounds: z
    .array(z.object({ metric: z.string(), percent: z.number().nullable(), slack: z.number() }))
    .describe('how much worse a figure may become: by so many percent of the beginning, and by slack in any case'),
  columns: z.array(z.string()).describe('metrics of the points, the goal first'),
  points: z
    .array(
      z.object({
        allocator: z.string(),
        figures: z.record(z.string(), z.number().nullable()).describe('by metric'),
        front: z.boolean().describe('no other point is as good in every column and better in one'),
        withinBounds: z.boolean(),
        failed: z.boolean(),
      }),
    )
    .describe('everything that was run, the beginning first'),
  inert: z.array(z.string()).describe('options none of whose values changed anything'),
  dropped: z.array(z.string()).describe('settings that helped on the way and are not needed'),
  validation: z
    .object({
      rows: z.array(z.object({ seed: z.number().int(), from: z.number(), best: z.number(), within: z.boolean() })),
      inOrders: z.boolean().describe('at full speed, where seeds give other orders of the threads’ calls'),
      holds: z.boolean(),
    })
    .nullable()
    .describe('the best point with other seeds; null where there is nothing to validate'),
  refuted: z.array(z.string()).describe('better in the search, not with other seeds'),
  paste: z.array(z.object({ place: z.string(), text: z.string() })).describe('the best point, ready to paste'),
});

/** What `sim plan --json` writes. */
export const planSchema = z.object({
  schema: z.literal(PLAN_SCHEMA),
  workload: z.string(),
  partial: z.boolean().describe('interrupted: only what had finished'),
  mode,
  pace,
  memory: bytes.describe('of the machine'),
  reserve: bytes.describe('kept free of it'),
  shared: bytes.describe('what all processes have once, together'),
  extra: bytes.describe('of each process beside its heap'),
  processes: z.number().int().nullable(),
  risk: z.number().describe('probability to exceed the memory at a moment'),
  mix: z.array(z.object({ workload: z.string(), share: z.number(), seeds: z.number().int() })),
  rows: z.array(
    z.object({
      allocator: z.string(),
      meanBytes: bytes,
      deviationBytes: bytes,
      peakBytes: bytes.describe('of several kinds on average'),
      highestBytes: bytes.describe('the highest peak of all kinds'),
      p50Bytes: bytes.describe('not exceeded for half of the time, over all seeds and kinds'),
      p95Bytes: bytes,
      p99Bytes: bytes,
      virtualNs: z.number().nullable(),
      fitsAtPeak: z.number().nullable().describe('null where nothing is needed'),
      fitsIndependent: z.number().int().nullable().describe('null where nothing is needed'),
      needsAtPeakBytes: bytes.nullable(),
      needsIndependentBytes: bytes.nullable(),
      exceedingProbability: z.number().nullable().describe('of the wanted number of processes, at a moment'),
    }),
  ),
  assumed: z.array(z.string()).describe('what the answer rests on'),
});
