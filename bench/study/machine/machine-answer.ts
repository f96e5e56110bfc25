import { machineDigest } from '../../../machine/views/digest.ts';
import { openMetricsText } from '../../../machine/views/metrics/exposition.ts';
import { timelineCsv, timelineFamilies } from '../../../machine/views/timeline.ts';
import type { ViewText } from '../../../machine/views/view-text.ts';
import { type MachineSummary, machineSummary } from '../../../machine/views/words/summary.ts';
import { jsonText } from '../../../sim/contract/escape.ts';
import { machinePage } from '../../report/machine-run-page.ts';
import type { ViewedRun, ViewedScript } from './viewed-run.ts';

/** Texts that a run can be written as. */
export const MACHINE_TEXTS = ['output', 'csv', 'openmetrics', 'report'] as const;
export type MachineTextName = (typeof MACHINE_TEXTS)[number];

/** A script, and what is wanted of its run. Plain data. */
export interface MachineQuestion extends ViewedScript {
  readonly steps: boolean;
  readonly texts: readonly MachineTextName[];
}

export interface MachineAnswer {
  readonly partial: boolean;
  readonly summary: MachineSummary;
  readonly views: readonly ViewText[];
  /** Every step and the figures of each sample. */
  readonly steps: string | null;
  readonly texts: Readonly<Partial<Record<MachineTextName, string>>>;
}

export function machineAnswer(viewed: ViewedRun, { views, at, steps, texts }: MachineQuestion): MachineAnswer {
  const { run, history, name, partial } = viewed;
  const shown = partial ? `${name} (partial: interrupted)` : name;
  const summary = machineSummary(run, shown, history, views.length > 0 ? undefined : at.at(-1));
  const textOf: Readonly<Record<MachineTextName, () => string>> = {
    output: () => run.lines.map((line) => `${jsonText(line)}\n`).join(''),
    csv: () => timelineCsv(history),
    openmetrics: () => openMetricsText(timelineFamilies(history)),
    report: () => machinePage(summary, run, history),
  };
  return {
    partial,
    summary,
    views: viewed.views,
    steps: steps ? machineDigest(run) : null,
    texts: Object.fromEntries(texts.map((text) => [text, textOf[text]()])),
  };
}
