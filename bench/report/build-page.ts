import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { UserError } from '../../sim/contract/assert.ts';
import { bytes, count, percent } from '../../sim/contract/format.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import { compareResults } from '../metrics/comparison.ts';
import { METRICS, metricNamed, metricText } from '../metrics/index.ts';
import type { RunResult } from '../run/result.ts';
import { VERSION } from '../run/version.ts';
import { axisOf } from './axis.ts';
import { decimate } from './decimate.ts';
import { escapeXml } from './escape.ts';
import type { Histograms } from './histograms.ts';
import {
  type HeatMap,
  type MetricRow,
  type PageData,
  type RunData,
  SERIES,
  type SeriesData,
  type SeriesName,
  type WaitData,
} from './page-data.ts';

/** One run of a report; what was not recorded while it ran is left out of the page. */
export interface ReportRun {
  readonly result: RunResult;
  readonly heat?: HeatMap | null;
  /** Lines of an explanation. */
  readonly verdict?: readonly string[];
}

export interface ReportOptions {
  readonly title?: string;
  readonly histograms?: Histograms | null;
}

/** Stretches of the time axis that the page can tell apart; each keeps the extremes of every curve. */
const BUCKETS = 1200;
const MARKS_MAX = 400;

export function buildPageData(runs: readonly ReportRun[], options: ReportOptions = {}): PageData {
  if (runs.length === 0) throw new UserError('a report needs a run, found none');
  const workload = runs[0]!.result.run.workload;
  return {
    title: options.title ?? workload,
    version: VERSION,
    histograms: options.histograms ?? null,
    runs: runs.map((run) => runData(run, Math.max(100, Math.floor(BUCKETS / Math.sqrt(runs.length))))),
    metrics: metricRows(runs.map((r) => r.result)),
  };
}

function runData({ result, heat, verdict }: ReportRun, buckets: number): RunData {
  const { run, summary } = result;
  const parameters = Object.entries(run.parameters).map(([name, value]) => `${name}=${value}`);
  return {
    name: run.allocator,
    facts: [
      ['workload', [run.workload, ...parameters].join(' ')],
      ['allocator', run.allocator],
      ['mode', run.mode === 'lockstep' ? 'lockstep: file order, no contention' : `${run.mode}, pace ${run.pace}`],
      ['machine', `${run.cpus} cpus, kernel ${run.kernel}, touch ${run.touch}, seed ${run.seed}`],
      ['events', count(result.engine.events)],
      ['resident', `${bytes(summary.rssBytes)} at the end, ${bytes(summary.rssPeakBytes)} at most`],
      ['requested', `${bytes(summary.requestedBytes)} at the end, ${bytes(summary.requestedPeakBytes)} at most`],
      [
        'fragmentation',
        `internal ${percent(summary.internalFragmentation)}, external ${percent(summary.externalFragmentation)}`,
      ],
      ...(result.abort ? [['aborted', `${result.abort.message} (event ${count(result.abort.event)})`] as const] : []),
      ...(result.partial ? [['partial', 'the run was interrupted'] as const] : []),
    ],
    rssPeakBytes: summary.rssPeakBytes,
    series: seriesData(result, buckets),
    heat: heat ?? null,
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
    verdict: verdict ?? [],
  };
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
      return sample.breakdown[name];
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

function metricRows(results: readonly RunResult[]): MetricRow[] {
  return compareResults(results.map((r) => [r])).rows.map((row) => ({
    name: row.metric,
    about: metricNamed(row.metric).about,
    cells: row.cells.map((cell) => ({
      text: cell ? metricText(METRICS.find((m) => m.name === row.metric)!, cell.median) : '-',
      mark: cell?.mark ?? null,
    })),
  }));
}

const CLIENT_FILES = ['decode', 'format', 'theme', 'charts', 'heat-map', 'tables', 'main'];

/** The page as one text: its data, scripts and styles are in it, and it asks no network for anything. */
export function buildPage(data: PageData): string {
  const require = createRequire(import.meta.url);
  const uplot = readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8');
  const uplotStyle = readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8');
  const scripts = CLIENT_FILES.map((name) => readClient(`${name}.js`)).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>${escapeXml(data.title)} · allocsim</title>
<style>${uplotStyle}
${PAGE_STYLE}</style>
</head>
<body>
<main id="page"><noscript>The figures are drawn by scripts in this file; none is fetched.</noscript></main>
<script type="application/json" id="data">${JSON.stringify(data).replace(/</g, '\\u003c')}</script>
<script>${inScript(uplot)}</script>
<script>'use strict';
${inScript(scripts)}</script>
</body>
</html>
`;
}

/** Compiled by the build; found from the built file as well as from the source. */
function readClient(name: string): string {
  const folder = import.meta.url.includes('/dist/') ? './client/' : '../../dist/bench/report/client/';
  try {
    return readFileSync(new URL(folder + name, import.meta.url), 'utf8');
  } catch {
    throw new UserError(`the report's scripts are not built: ${name} is missing; run npm run build`);
  }
}

const inScript = (text: string) => text.replace(/<\/script/gi, '<\\/script').replace(/^\/\/# sourceMapping.*$/gm, '');

const PAGE_STYLE = `
:root { --bg: #fbfbfa; --fg: #1d1f21; --dim: #62676d; --line: #d9dbd8; --panel: #fff; --accent: #1565c0; --bad: #b3261e; --good: #1b6e3c; color-scheme: light; }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) { --bg: #15171a; --fg: #e6e6e3; --dim: #9aa0a6; --line: #33373c; --panel: #1c1f23; --accent: #7cb7ff; --bad: #ff8a80; --good: #7bd88f; color-scheme: dark; } }
:root[data-theme=dark] { --bg: #15171a; --fg: #e6e6e3; --dim: #9aa0a6; --line: #33373c; --panel: #1c1f23; --accent: #7cb7ff; --bad: #ff8a80; --good: #7bd88f; color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--fg); font: 14px/1.45 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 20px; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 16px; margin: 28px 0 8px; } p { margin: 4px 0; }
header { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; justify-content: space-between; }
button, select { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 5px; padding: 4px 10px; cursor: pointer; }
button[aria-pressed=true] { border-color: var(--accent); color: var(--accent); font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.bar { display: flex; flex-wrap: wrap; gap: 6px; margin: 12px 0; }
.dim { color: var(--dim); } .panel { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 10px; overflow-x: auto; }
.verdict { border-left: 4px solid var(--accent); } .two { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 12px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { color: var(--dim); font-weight: 500; } .best { color: var(--good); font-weight: 600; } .worst { color: var(--bad); }
.scroll { max-height: 420px; overflow: auto; } .meter { display: inline-block; height: 9px; background: var(--accent); border-radius: 2px; vertical-align: middle; }
.facts td { text-align: left; width: 99%; white-space: normal; overflow-wrap: anywhere; } .facts td:first-child { width: 1%; white-space: nowrap; color: var(--dim); }
canvas.heat { width: 100%; height: 420px; display: block; image-rendering: pixelated; cursor: crosshair; touch-action: none; }
.legend { display: flex; flex-wrap: wrap; gap: 14px; align-items: center; margin-top: 6px; } .scale { width: 160px; height: 10px; border-radius: 3px; }
.u-legend { text-align: left; font-size: 12px; } .u-legend th, .u-legend td { border: 0; } .uplot { font-family: inherit; } .u-select { background: color-mix(in srgb, var(--accent) 18%, transparent); }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; font: 12px ui-monospace, monospace; }
`;
