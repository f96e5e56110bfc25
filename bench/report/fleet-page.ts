import type { FleetResult } from '../../fleet/index.ts';
import { buildMachinePageData } from './machine-page.ts';
import { buildPage } from './page-document.ts';

/** The page of a fleet: the machine's memory over the time of the scenario, its largest processes, what happened, the verdict above. */
export function fleetPage(result: FleetResult): string {
  const samples = result.samples.map(({ atUs, meminfo, processes }) => ({
    ns: atUs * 1000,
    meminfo,
    processes: Object.fromEntries(processes.map((p) => [p.name, p.anonBytes + p.fileBytes + p.shmemBytes])),
  }));
  const { summary, findings } = result.verdict;
  return buildPage(
    buildMachinePageData({
      title: result.about ? `${result.scenario}: ${result.about}` : result.scenario,
      verdict: { headline: summary, sentences: findings.map(({ about, text }) => `${about}: ${text}`) },
      samples,
      events: result.events.map(({ atUs, text }) => ({ ns: atUs * 1000, label: text })),
    }),
  );
}
