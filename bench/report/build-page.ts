import { basename } from 'node:path';
import { UserError } from '../../sim/contract/assert.ts';
import { bytes, count, percent } from '../../sim/contract/format.ts';
import { PAGE_BYTES } from '../../sim/contract/units.ts';
import { MMAP_BOTTOM_PAGE, realAddress } from '../../sim/kernel/layout.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import { compareResults } from '../metrics/comparison.ts';
import { AT_END, endWords, WHERE_JUDGED } from '../metrics/end-words.ts';
import { METRICS, metricNamed, metricText } from '../metrics/index.ts';
import type { RunResult } from '../run/result.ts';
import { timeSource } from '../run/time-source.ts';
import { VERSION } from '../run/version.ts';
import { axisOf } from './axis.ts';
import { decimate } from './decimate.ts';
import type { Histograms } from './histograms.ts';
import { CLASSES, classBytes, metricTitle, RUN_COLOURS } from './names.ts';
import {
  type HolderColumns,
  type JudgedData,
  type MetricRow,
  type MomentData,
  type PageData,
  type RunData,
  SERIES,
  type SeriesData,
  type SeriesName,
  type WaitData,
} from './page-data.ts';
import type { ReportRun } from './report-run.ts';
import { sitesMarkup } from './sites/flame.ts';
import { differenceOf, judgedIn, verdictOf } from './verdict.ts';

export interface ReportOptions {
  readonly title?: string;
  readonly histograms?: Histograms | null;
}

/** Stretches of the time axis that the page can tell apart; each keeps the extremes of every curve. */
const BUCKETS = 1200;
const MARKS_MAX = 400;
/** Of more runs than this the map does not say who holds what: a page stays a page. */
const WITH_HOLDERS = 4;
const NO_HOLDERS: HolderColumns = {
  address: [],
  usableBytes: [],
  requestedBytes: [],
  event: [],
  ns: [],
  thread: [],
  site: [],
  siteNames: [],
};
const UPPER_START = MMAP_BOTTOM_PAGE * PAGE_BYTES;

export function buildPageData(reported: readonly ReportRun[], options: ReportOptions = {}): PageData {
  const runs = reported.map(namedOnce).map(endAsJudged);
  if (runs.length === 0) throw new UserError('a report needs a run, found none');
  const workload = runs[0]!.result.run.workload;
  return {
    // A trace by its name; where it lies is among the facts.
    title: options.title ?? basename(workload),
    version: VERSION,
    classes: CLASSES.map(({ key, name, about, light, dark }) => ({ key, name, about, light, dark })),
    runColours: RUN_COLOURS,
    addresses: {
      upperFrom: UPPER_START,
      lowerShift: realAddress(PAGE_BYTES) - PAGE_BYTES,
      upperShift: realAddress(UPPER_START) - UPPER_START,
    },
    histograms: options.histograms ?? null,
    runs: runs.map((run) => runData(run, runs.length, run === runs[0] ? undefined : runs[0])),
    metrics: metricRows(
      runs.map((r) => r.result),
      runs[0]!.upTo !== undefined,
    ),
    machine: null,
    differences: runs.slice(1).map((run) => differenceOf(runs[0]!.result, run.result, run.upTo)),
  };
}

const endName = ({ upTo }: ReportRun): string => (upTo === undefined ? AT_END : WHERE_JUDGED);

/** The verdict tells the moment at length; what else is about it has its short name. */
function namedOnce(reported: ReportRun): ReportRun {
  const { judged, sitesAbout, verdict } = reported;
  const isTold = judgedIn(reported) && judged!.about === sitesAbout && !verdict;
  return isTold ? { ...reported, sitesAbout: WHERE_JUDGED } : reported;
}

/** Where the workload goes on behind the run's end, that end is the moment that is judged. */
function endAsJudged(reported: ReportRun): ReportRun {
  const { upTo, moments, sitesAbout } = reported;
  if (upTo === undefined) return reported;
  return {
    ...reported,
    ...(moments && { moments: moments.map((m) => (m.label === AT_END ? { ...m, label: WHERE_JUDGED } : m)) }),
    ...(sitesAbout !== undefined && { sitesAbout: WHERE_JUDGED }),
  };
}

function runData(reported: ReportRun, runs: number, first: ReportRun | undefined): RunData {
  const { result, heat, verdict, why = [], moments = [], sites } = reported;
  const { run, summary } = result;
  const times = timeSource(result);
  const buckets = Math.max(100, Math.floor(BUCKETS / Math.sqrt(runs)));
  const parameters = Object.entries(run.parameters).map(([name, value]) => `${name}=${value}`);
  return {
    name: run.allocator,
    facts: [
      ['workload', [run.workload, ...parameters].join(' ')],
      ['allocator', run.allocator],
      [
        'time',
        run.mode === 'lockstep'
          ? 'lockstep: events in file order; contention is not computed'
          : `${run.mode}, pace ${run.pace}`,
      ],
      ['machine', `${run.cpus} cpus, kernel ${run.kernel}, touch ${run.touch}, seed ${run.seed}`],
      ...(times === null ? [] : [['prices', times.replace(/^prices /, '')] as const]),
      ['events', count(result.engine.events)],
      ['resident', `${bytes(summary.rssBytes)} ${endName(reported)}, ${bytes(summary.rssPeakBytes)} at most`],
      [
        'requested',
        `${bytes(summary.requestedBytes)} ${endName(reported)}, ${bytes(summary.requestedPeakBytes)} at most`,
      ],
      [
        'fragmentation',
        `internal ${percent(summary.internalFragmentation)}, external ${percent(summary.externalFragmentation)}`,
      ],
      ...(result.abort ? [['aborted', `${result.abort.message} (event ${count(result.abort.event)})`] as const] : []),
      ...(result.partial ? [['partial', 'the run was interrupted'] as const] : []),
    ],
    rssPeakBytes: summary.rssPeakBytes,
    rssBytes: summary.rssBytes,
    judged: judgedData(moments),
    mode: run.mode,
    verdict: verdictOf(reported),
    explanation: verdict ?? [],
    why,
    series: seriesData(result, buckets),
    heat: heat ? (runs > WITH_HOLDERS ? { ...heat, held: '', holders: NO_HOLDERS } : heat) : null,
    // Of many runs the end is enough: a page stays a page.
    moments: runs > 2 ? moments.slice(0, 1) : moments,
    locks: result.locks
      .filter((lock) => lock.acquisitions > 0)
      .sort((x, y) => y.waitNs.total - x.waitNs.total)
      .slice(0, 100)
      .map((lock) => ({
        name: lock.name,
        acquisitions: lock.acquisitions,
        contended: lock.contended,
        waitNs: lock.waitNs.total,
        p99Ns: lock.waitNs.p99,
        maxNs: lock.waitNs.max,
        holdNs: lock.holdNs,
      })),
    waits: waitData(result),
    notModelled: result.notModelled,
    sites: sites ? sitesMarkup(sites, { before: first?.sites, about: reported.sitesAbout }) : null,
  };
}

function judgedData(moments: readonly MomentData[]): JudgedData | null {
  const moment = moments.find(({ label }) => label === WHERE_JUDGED);
  if (!moment) return null;
  const { event, ns, rssBytes, places } = moment;
  const sumOf = (k: number) => places.reduce((sum, place) => sum + place.classBytes[k]!, 0);
  return { event, ns, rssBytes, classBytes: CLASSES.map((_, k) => sumOf(k)) };
}

function seriesData(result: RunResult, buckets: number): SeriesData {
  const { samples } = result;
  const columns = SERIES.map((name) => {
    const column = new Float64Array(samples.length);
    for (let i = 0; i < samples.length; i++) column[i] = seriesValue(samples[i]!, name);
    return column;
  });
  const rows = decimate(axisOf(result).values, columns, buckets);
  const named: { row: number; label: string }[] = [];
  for (let row = 0; row < samples.length && named.length < MARKS_MAX; row++) {
    const { label } = samples[row]!;
    if (!label.startsWith('#') && !label.startsWith('(')) named.push({ row, label });
  }
  const keep = [...new Set([...rows, ...named.map((n) => n.row)])].sort((x, y) => x - y);
  const position = new Map(keep.map((row, i) => [row, i]));
  return {
    count: keep.length,
    sampleCount: samples.length,
    event: deltas(keep.map((i) => samples[i]!.event)),
    ns: deltas(keep.map((i) => samples[i]!.virtualNs)),
    columns: Object.fromEntries(SERIES.map((name, c) => [name, deltas(keep.map((i) => columns[c]![i]!))])) as Record<
      SeriesName,
      number[]
    >,
    marks: named.map(({ row, label }) => ({ row: position.get(row)!, label })),
  };
}

function seriesValue(sample: Sample, name: SeriesName): number {
  switch (name) {
    case 'rssBytes':
    case 'vszBytes':
    case 'requestedBytes':
      return sample[name];
    default:
      return classBytes(sample, name);
  }
}

/** Differences are short numbers: a third of the page's length. */
function deltas(values: readonly number[]): number[] {
  return values.map((value, i) => (i === 0 ? value : value - values[i - 1]!));
}

function waitData({ concurrency }: RunResult): WaitData | null {
  const timeline = concurrency?.timeline;
  if (!timeline) return null;
  return {
    widthNs: timeline.widthNs,
    causes: [
      { name: 'allocator locks', ns: timeline.locks },
      { name: 'kernel locks', ns: timeline.kernelLocks },
      { name: 'no free processor', ns: timeline.processors },
      { name: 'other threads', ns: timeline.otherThreads },
    ],
  };
}

function metricRows(results: readonly RunResult[], isJudged: boolean): MetricRow[] {
  // The simulator's own speed says nothing about the program.
  const rows = compareResults(results.map((r) => [r])).rows.filter((row) => metricNamed(row.metric).deterministic);
  return rows.map((row) => ({
    title: endWords(metricTitle(row.metric), isJudged),
    name: row.metric,
    about: metricNamed(row.metric).about,
    cells: row.cells.map((cell) => ({
      text: cell ? metricText(METRICS.find((m) => m.name === row.metric)!, cell.median) : '-',
      mark: cell?.mark ?? null,
    })),
  }));
}
