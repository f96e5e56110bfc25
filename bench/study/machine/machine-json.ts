import type { ViewText } from '../../../machine/views/view-text.ts';
import type { Finding } from '../../../machine/views/words/finding.ts';
import type { MachineAnswer } from './machine-answer.ts';

export const MACHINE_SCHEMA = 'allocsim-machine-1';

/** What `sim machine --json` writes (schema/machine.json). */
export interface MachineJson {
  readonly schema: typeof MACHINE_SCHEMA;
  readonly headline: string;
  readonly partial: boolean;
  /** The title of the first finding. */
  readonly verdict: string | null;
  readonly findings: readonly Finding[];
  readonly otherwise: string | null;
  readonly sections: readonly { readonly title: string; readonly short: string; readonly lines: readonly string[] }[];
  readonly views: readonly ViewText[];
}

export function machineJson({ summary, views, partial }: MachineAnswer): MachineJson {
  const { headline, findings, otherwise, sections } = summary;
  return {
    schema: MACHINE_SCHEMA,
    headline,
    partial,
    verdict: findings[0]?.title ?? null,
    findings,
    otherwise: findings.length === 0 ? otherwise : null,
    sections: sections.map(({ title, short, lines }) => ({ title, short, lines })),
    views,
  };
}
