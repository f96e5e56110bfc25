import type { OomKill } from '../../kernel/kernel.ts';
import type { MachineRun } from '../../script/machine-run.ts';
import { kbSize, number, size, span } from './figures.ts';
import type { Finding } from './finding.ts';
import { fullOf } from './finding-killed.ts';
import { findingsOf } from './findings.ts';
import type { History } from './history.ts';
import type { Moment } from './moment.ts';
import { rssKb } from './moment.ts';
import {
  availableParts,
  climbLines,
  groupLines,
  memoryParts,
  partLines,
  reclaimableParts,
  type SectionPart,
  sharedLines,
} from './sections.ts';

/** What a run was, for people: the verdict first, then where the memory is at the moment that it is about. */
export interface MachineSummary {
  readonly headline: string;
  /** The kind with the most memory first; empty where the figures show none of them. */
  readonly findings: readonly Finding[];
  /** Said where there is no finding: what the memory is then. */
  readonly otherwise: string;
  readonly sections: readonly SummarySection[];
}

export interface SummarySection {
  readonly title: string;
  readonly short: string;
  readonly parts: readonly SectionPart[];
  /** The same as text, its tables in columns. */
  readonly lines: readonly string[];
}

/** `at` names a sample; without it the moment of the first finding, or the last. */
export function machineSummary(run: MachineRun, name: string, history: History, at?: string): MachineSummary {
  const findings = findingsOf(run, history);
  const moment = momentAt(history, at, findings[0]?.step);
  const samples = history.moments.filter(({ command }) => /^m?sample /.test(command)).length;
  const steps = history.readings.length - 1;
  return {
    headline: `${name}: ${run.options.memoryMb} MB, Linux ${run.k.profile.release}, ${number(steps, 'step')} in ${span(run.k.nowUs)}, ${number(samples, 'sample')}`,
    findings,
    otherwise: otherwise(history),
    sections: [
      { title: `The machine's memory, at ${moment.label}`, short: moment.label, parts: memoryParts(moment) },
      { title: 'Who owns the shared memory', short: 'shared', parts: sharedLines(moment) },
      { title: 'What of MemAvailable is real', short: 'available', parts: availableParts(run, moment) },
      { title: 'Which part of a group is cache', short: 'groups', parts: groupLines(moment) },
      { title: 'Which RSS is reclaimable', short: 'reclaimable', parts: reclaimableParts(moment) },
      { title: 'What climbs', short: 'climbs', parts: climbLines(history) },
      { title: 'Who died', short: 'died', parts: deathLines(run) },
    ]
      .filter(({ parts }) => parts.length > 0)
      .map((section) => ({ ...section, lines: section.parts.flatMap(partLines) })),
  };
}

/** The named one, or the first from `step` on. */
function momentAt({ moments }: History, label: string | undefined, step = Number.POSITIVE_INFINITY): Moment {
  const found = moments.find((moment) => (label === undefined ? moment.step >= step : moment.label === label));
  return found ?? moments.at(-1)!;
}

/** None of the kinds: whose memory it is. */
function otherwise(history: History): string {
  const moment = history.moments.at(-1)!;
  const largest = [...moment.full].sort((a, b) => rssKb(b) - rssKb(a))[0];
  if (!largest) return 'No process is left, and nothing stayed behind.';
  const { heap } = largest;
  const own = heap
    ? `its program has ${size(heap.liveBytes)} live in ${size(heap.residentBytes)} of its allocator's`
    : `${kbSize(largest.anonKb)} of it are anonymous memory that it has written: what of it is in use only the program knows`;
  const [climb] = climbLines(history);
  return `The largest process at the end is ${largest.name} with an RSS of ${kbSize(rssKb(largest))}; ${own}.${climb ? ` What climbs most is ${climb}.` : ''}`;
}

const DEATHS_SHOWN = 6;

function whyKilled(kill: OomKill): string {
  const kb = (pages: number) => kbSize(pages * 4);
  const where =
    kill.group === undefined
      ? `nothing was free of ${kb(kill.limitPages)}`
      : `${kill.group} had met its limit of ${kb(kill.limitPages)}`;
  const adjusted = kill.oomScoreAdj === 0 ? '' : `, oom_score_adj ${kill.oomScoreAdj}`;
  return `${where}, with ${fullOf(kill)}; it had an RSS of ${kb(kill.rssPages)}${adjusted}`;
}

function deathLines(run: MachineRun): string[] {
  const dead = run.lines.filter(({ t }) => t === 'death');
  const killed = dead.filter((line) => line['signal'] !== undefined);
  const shown = killed.slice(0, DEATHS_SHOWN).map((line) => {
    const what = `${line['p']} (signal ${line['signal']}, step ${line['step']})`;
    const kill = run.k.oomKills.find(({ pid }) => pid === line['pid']);
    return kill ? `${what}: ${whyKilled(kill)}` : what;
  });
  return killed.length > shown.length ? [...shown, `${killed.length - shown.length} more`] : shown;
}

/** The report as text; lines may be longer than a screen is wide. */
export function machineSummaryText({ headline, findings, otherwise: other, sections }: MachineSummary): string {
  const lines = [headline, ''];
  const [first, ...rest] = findings;
  if (first) {
    lines.push(`Verdict: ${first.title}, ${size(first.bytes)}`, `  ${first.text}`);
    for (const { title, bytes, text } of rest) lines.push('', `Also: ${title}, ${size(bytes)}`, `  ${text}`);
  } else lines.push('Verdict: none of the misbehaviours that are known here', `  ${other}`);
  for (const { title, lines: own } of sections) lines.push('', title, ...own.map((line) => `  ${line}`));
  return `${lines.join('\n')}\n`;
}
