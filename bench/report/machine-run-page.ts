import type { MachineRun } from '../../machine/index.ts';
import type { History } from '../../machine/views/words/history.ts';
import { rssKb } from '../../machine/views/words/moment.ts';
import type { MachineSummary } from '../../machine/views/words/summary.ts';
import { bytes } from '../../sim/contract/format.ts';
import { buildMachinePageData, type MachineSample } from './machine-page.ts';
import { buildPage } from './page-document.ts';

/** The page of a machine's script: a sample after each command, the verdict above. */
export function machinePage(summary: MachineSummary, run: MachineRun, { readings }: History): string {
  const samples: MachineSample[] = readings.map(({ atUs, meminfo, processes }) => ({
    ns: atUs * 1000,
    meminfo: Object.fromEntries(Object.entries(meminfo).map(([name, kb]) => [name, kb * 1024])),
    processes: Object.fromEntries(processes.map((process) => [process.name, rssKb(process) * 1024])),
  }));
  const deaths = run.lines
    .filter(({ t }) => t === 'death')
    .map((line) => ({
      ns: (readings.find(({ step }) => step === line['step'])?.atUs ?? 0) * 1000,
      label: line['signal'] === undefined ? `${line['p']} ended` : `${line['p']} was killed`,
    }));
  const [first, ...rest] = summary.findings;
  const verdict = {
    headline: first
      ? `${first.title[0]!.toUpperCase()}${first.title.slice(1)}, ${bytes(first.bytes)}.`
      : 'None of the misbehaviours that are known here.',
    sentences: first
      ? [first.text, ...rest.map((other) => `Also ${other.title}, ${bytes(other.bytes)}: ${other.text}`)]
      : [summary.otherwise],
  };
  return buildPage(
    buildMachinePageData({ title: summary.headline, verdict, samples, events: deaths, sections: summary.sections }),
  );
}
