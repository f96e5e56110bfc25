import { type FleetResult, logText, poolText, severityMark, tableOfSettings } from '../../fleet/index.ts';
import { buildMachinePageData, type MachineReport } from './machine-page.ts';
import { buildPage } from './page-document.ts';

/** The page of a fleet: the machine's memory over the time of the scenario, its largest processes, what happened, its settings and pools below, the verdict above. */
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
      verdict: {
        headline: summary,
        sentences: findings.map(({ severity, about, text }) => `${severityMark(severity)}${about}: ${text}`),
      },
      samples,
      leastAvailableBytes: result.figures.lowestAvailableBytes,
      groups: result.figures.groups.flatMap(({ name, maxBytes, currentBytes, firmBytes }) =>
        maxBytes === null ? [] : [{ name, maxBytes, currentBytes: currentBytes.values, firmBytes: firmBytes.values }],
      ),
      events: result.events.map(({ atUs, text }) => ({ ns: atUs * 1000, label: text })),
      sections: [...settingsOf(result), ...poolsOf(result)],
    }),
  );
}

type Sections = NonNullable<MachineReport['sections']>;

function settingsOf({ settings }: FleetResult): Sections {
  if (settings.length === 0) return [];
  const { head, rows, notes, legend } = tableOfSettings(settings);
  return [{ title: 'Settings, each run', parts: [{ head, rows, align: 'lr' }, ...notes, legend] }];
}

function poolsOf({ figures, services, durationUs }: FleetResult): Sections {
  const { pools, logs } = figures;
  const parts = [...pools.map(poolText), ...services, ...logs.map((log) => logText(log, durationUs))];
  const titles = [
    ...(pools.length > 0 ? ['Pools'] : []),
    ...(services.length > 0 ? [pools.length > 0 ? 'services' : 'Services'] : []),
  ];
  return parts.length > 0 ? [{ title: titles.join(' and '), parts }] : [];
}
