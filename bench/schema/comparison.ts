import { z } from 'zod';
import { COMPARISON_SCHEMA } from '../metrics/comparison.ts';
import { runDescriptionSchema, runResultSchema } from './result.ts';

const unit = z.enum(['bytes', 'ns', 'count', 'ratio', 'events/s']);

const cellSchema = z.object({
  values: z.array(z.number()),
  median: z.number(),
  min: z.number(),
  max: z.number(),
  ratio: z.number().nullable().describe('median over the median of the first column'),
  differsFromFirst: z.boolean().describe('whether the ranges of this and the first column are apart'),
  mark: z.enum(['best', 'worst']).nullable(),
});

/** What `sim compare --json` writes. */
export const comparisonSchema = z.object({
  schema: z.literal(COMPARISON_SCHEMA),
  workload: z.string(),
  partial: z.boolean().optional().describe('interrupted: only what had finished'),
  parameters: runDescriptionSchema.shape.parameters,
  mode: runDescriptionSchema.shape.mode,
  pace: runDescriptionSchema.shape.pace,
  timeReason: runDescriptionSchema.shape.timeReason,
  until: runDescriptionSchema.shape.until,
  times: z.string().nullable().default(null).describe('which figures the times rest on'),
  moment: z
    .object({ event: z.number().int().describe('events executed'), about: z.string() })
    .nullable()
    .default(null)
    .describe('the moment that every figure is up to; null: the end of the workload'),
  cpus: runDescriptionSchema.shape.cpus,
  seeds: z.array(z.number().int()),
  columns: z.array(z.string()).describe('the allocators; the first is what ratios refer to'),
  rows: z.array(
    z.object({
      metric: z.string(),
      unit,
      better: z.enum(['lower', 'higher']),
      cells: z.array(cellSchema.nullable()),
    }),
  ),
  same: z.array(z.array(z.number().int())).describe('columns, by index, that are the same in every figure'),
  cautions: z.array(z.string()).default([]).describe('what makes figures of memory unreliable'),
  runs: z.array(z.array(runResultSchema)).describe('by allocator, then by seed'),
  sites: z
    .object({
      about: z.string().describe('the moment'),
      allocators: z.array(
        z.object({
          allocator: z.string(),
          sites: z.array(
            z.object({ stack: z.array(z.string()), held: z.number(), pinned: z.number(), freed: z.number() }),
          ),
        }),
      ),
    })
    .optional()
    .describe('with --sites: resident bytes by call stack, outermost caller first'),
});
