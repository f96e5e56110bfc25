import type { MachineRun } from '../../machine/index.ts';
import type { History } from '../../machine/views/words/history.ts';
import { rssKb } from '../../machine/views/words/moment.ts';
import type { MachineReport } from '../../machine/views/words/report.ts';
import { buildMachinePageData, type MachineSample } from './machine-page.ts';
import { buildPage } from './page-document.ts';

/** The page of a machine's script: a sample after each command, the verdict above. */
export function machinePage(report: MachineReport, run: MachineRun, { readings }: History): string {
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
  const [first, ...rest] = report.findings;
  const verdict = {
    headline: first
      ? `${first.title[0]!.toUpperCase()}${first.title.slice(1)}.`
      : 'None of the misbehaviours that are known here.',
    sentences: first ? [first.text, ...rest.map(({ title, text }) => `Also ${title}: ${text}`)] : [report.otherwise],
  };
  const facts = report.sections.flatMap(({ short, lines }) =>
    lines.map((line, i): [string, string] => [i === 0 ? short : '', line.replace(/ {2,}/g, ' · ')]),
  );
  return buildPage(buildMachinePageData({ title: report.headline, verdict, samples, events: deaths, facts }));
}
