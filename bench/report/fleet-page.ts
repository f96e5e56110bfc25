import {
  eventLines,
  type FleetResult,
  isCut,
  lengthText,
  logText,
  poolText,
  severityMark,
  tableOfSettings,
} from '../../fleet/index.ts';
import { buildMachinePageData, type MachineReport, type MachineSample } from './machine-page.ts';
import { buildPage } from './page-document.ts';

/** The page of a fleet: the machine's memory over the time of the scenario, its largest processes, what happened, its settings and pools below, the verdict above. */
export function fleetPage(result: FleetResult): string {
  const samples: MachineSample[] = result.samples.map(({ atUs, meminfo, processes }) => ({
    ns: atUs * 1000,
    meminfo,
    processes: Object.fromEntries(processes.map((p) => [p.name, p.anonBytes + p.fileBytes + p.shmemBytes])),
  }));
  const { summary, severity: worst, findings } = result.verdict;
  const moment = worstMoment(result, samples);
  if (moment) samples.splice(moment.place, 0, moment.sample);
  const over = (values: readonly number[], then: number | undefined) =>
    moment ? values.toSpliced(moment.place, 0, then ?? values[moment.place - 1] ?? 0) : values;
  return buildPage(
    buildMachinePageData({
      title: titleOf(result),
      verdict: {
        headline: summary,
        sentences: [],
        points: findings.map(({ severity, about, text }) => ({ about: `${severityMark(severity)}${about}`, text })),
        ...(worst !== 'watch' && { mark: worst === 'fine' ? ('good' as const) : ('bad' as const) }),
      },
      samples,
      leastAvailableBytes: result.figures.lowestAvailableBytes,
      groups: result.figures.groups.flatMap(({ name, maxBytes, currentBytes, firmBytes, mostFirmBytes }, i) => {
        if (maxBytes === null) return [];
        const isIt = moment?.group === name;
        return [
          {
            name,
            maxBytes,
            currentBytes: over(currentBytes.values, isIt ? moment.figures.groups[i]!.currentBytes : undefined),
            firmBytes: over(firmBytes.values, isIt ? mostFirmBytes : undefined),
          },
        ];
      }),
      events: eventLines(result.events).map(({ atUs, text }) => ({ ns: atUs * 1000, label: text })),
      sections: [...settingsOf(result), ...poolsOf(result)],
    }),
  );
}

function titleOf(result: FleetResult): string {
  const { scenario, about, partial } = result;
  const part = isCut(result) || partial ? ` (${partial ? 'partial, interrupted' : lengthText(result)})` : '';
  return `${scenario}${part}${about ? `: ${about}` : ''}`;
}

/**
 * When somebody was killed first, before anything was freed, or when least was left: between samples, so that the picture would show nothing of it.
 * What is known of it alone is another there than at the sample before.
 */
function worstMoment({ figures }: FleetResult, samples: readonly MachineSample[]) {
  const { firstKill } = figures;
  const least = firstKill ?? figures.lowest ?? figures.lowestInGroup;
  if (!least) return undefined;
  const next = firstKill?.beforeSample ?? samples.findIndex(({ ns }) => ns > least.atUs * 1000);
  const before = samples[next - 1];
  if (!before) return undefined;
  const victim = firstKill && { [firstKill.victim]: firstKill.victimBytes };
  const sample: MachineSample = {
    ns: least.atUs * 1000,
    meminfo: {
      ...before.meminfo,
      MemAvailable: least.availableBytes,
      AnonPages: least.machineAnonBytes,
      Shmem: least.machineShmemBytes,
      Cached: least.machineCacheBytes + least.machineShmemBytes,
      Buffers: 0,
      PageTables: least.pageTableBytes,
    },
    processes: { ...before.processes, ...victim },
    isBetween: true,
  };
  return { place: next, sample, figures: least, group: firstKill ? firstKill.group : figures.lowestInGroup?.group };
}

type Sections = NonNullable<MachineReport['sections']>;

function settingsOf({ settings }: FleetResult): Sections {
  if (settings.length === 0) return [];
  const { head, rows, notes, legend } = tableOfSettings(settings);
  return [
    {
      title: 'Settings, each run',
      parts: [{ head, rows: rows.map((row) => row.map(together)), align: 'lr' }, ...notes, legend],
    },
  ];
}

/** A number and its unit stay on one line. */
const together = (cell: string) => cell.replace(/(?<=\d) (?=[KMGTP]iB|B\b|%|ns|µs|ms|s\b)/g, '\u00a0');

function poolsOf({ figures, services, durationUs }: FleetResult): Sections {
  const { pools, logs } = figures;
  const parts = [...pools.map(poolText), ...services, ...logs.map((log) => logText(log, durationUs))];
  const titles = [
    ...(pools.length > 0 ? ['Pools'] : []),
    ...(services.length > 0 ? [pools.length > 0 ? 'services' : 'Services'] : []),
  ];
  return parts.length > 0 ? [{ title: titles.join(' and '), parts }] : [];
}
