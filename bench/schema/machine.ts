import { z } from 'zod';
import { KINDS } from '../../machine/views/words/finding.ts';
import { MACHINE_SCHEMA } from '../study/machine/machine-json.ts';

/** What `sim machine --json` writes. */
export const machineSchema = z.object({
  schema: z.literal(MACHINE_SCHEMA),
  headline: z.string().describe('the script, the machine, and how long it ran'),
  partial: z.boolean().describe('interrupted: only what had happened until then'),
  verdict: z.string().nullable().describe('the title of the first finding; null where the figures show none'),
  findings: z
    .array(
      z.object({
        kind: z.enum(Object.keys(KINDS) as [string, ...string[]]),
        title: z.string(),
        bytes: z.number().describe('the memory that it is about'),
        text: z.string().describe('sentences with the figures; the last tells the kind from the others'),
        at: z.string().describe('the sample or step at which the figures are'),
        step: z.number().int().nonnegative(),
      }),
    )
    .describe('the known misbehaviours that the figures show, the one that explains most first'),
  otherwise: z.string().nullable().describe('where there is no finding: what the memory is then'),
  sections: z.array(z.object({ title: z.string(), short: z.string(), lines: z.array(z.string()) })),
  views: z
    .array(
      z.object({
        view: z.string().describe('as in --view'),
        at: z.string().describe('as in --at'),
        text: z.string().describe('what the tool prints'),
        processes: z.record(z.string(), z.string()).describe('the script’s names of the processes, by their numbers'),
      }),
    )
    .describe('one for each --view and --at'),
});
