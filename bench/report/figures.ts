import { bytes, count, duration } from '../../sim/contract/format.ts';
import { axisOf, residentAt, timeLabel } from './axis.ts';
import type { ReportRun } from './report-run.ts';
import { decimate } from './decimate.ts';
import type { Histograms } from './histograms.ts';
import { type SvgLine, svgBars, svgChart, svgGrid } from './svg.ts';

const RUN_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6bb1', '#7f7f7f'];
const CLASS_COLOURS = {
  requested: '#0072b2',
  slack: '#56b4e9',
  metadata: '#8c6bb1',
  cached: '#009e73',
  pinned: '#d55e00',
  returnable: '#e69f00',
} as const;
const POINTS = 700;
const MARKS = 12;

/** Every figure of a report as an SVG file: name → text. */
export function svgFigures(runs: readonly ReportRun[], histograms: Histograms | null): Map<string, string> {
  const files = new Map<string, string>();
  const many = runs.length > 1;
  files.set('resident.svg', residentFigure(runs));
  for (const [i, run] of runs.entries()) {
    const suffix = many ? `-${i + 1}-${fileName(run.result.run.allocator)}` : '';
    files.set(`breakdown${suffix}.svg`, breakdownFigure(run));
    if (run.heat) files.set(`address-space${suffix}.svg`, heatFigure(run));
    const waits = waitsFigure(run);
    if (waits) files.set(`waiting${suffix}.svg`, waits);
  }
  if (histograms) {
    const bars = (file: string, title: string, values: readonly number[], unit: (v: number) => string, y = count) => {
      if (values.length === 0) return;
      const labels = values.map((_, i) => unit(i === 0 ? 0 : 2 ** i));
      files.set(file, svgBars(title, labels, values, y));
    };
    bars('sizes.svg', 'Allocations by requested size', histograms.sizes, bytes);
    bars('size-bytes.svg', 'Bytes asked for, by requested size', histograms.sizeBytes, bytes, bytes);
    bars('lifetimes.svg', 'Blocks by lifetime in events', histograms.lifetimeEvents, count);
    bars('lifetimes-time.svg', 'Blocks by lifetime', histograms.lifetimeNs, duration);
  }
  return files;
}

function residentFigure(runs: readonly ReportRun[]): string {
  // One axis for all, that of the run that lasts longest.
  const longest = runs.reduce((x, y) => (lastOf(axisOf(y.result).values) > lastOf(axisOf(x.result).values) ? y : x));
  const { samples } = longest.result;
  const axis = axisOf(longest.result);
  const lines: SvgLine[] = runs.map((run, i) => ({
    label: runs.length > 1 ? run.result.run.allocator : 'resident',
    colour: RUN_COLOURS[i % RUN_COLOURS.length]!,
    values: residentAt(run.result, axis.values),
  }));
  lines.push({
    label: 'requested',
    colour: '#555',
    dash: '5 4',
    values: samples.map((s) => s.requestedBytes),
  });
  const rows = decimate(
    axis.values,
    lines.map((l) => l.values),
    POINTS,
  );
  return svgChart({
    title: `${longest.result.run.workload}: resident bytes`,
    x: rows.map((i) => axis.values[i]!),
    xLabel: axis.label,
    xText: axis.text,
    yText: bytes,
    lines: lines.map((l) => ({ ...l, values: rows.map((i) => l.values[i]!) })),
    marks: marksOf(longest),
  });
}

const lastOf = (values: readonly number[]): number => values.at(-1) ?? 0;

function breakdownFigure(run: ReportRun): string {
  const { samples } = run.result;
  const axis = axisOf(run.result);
  const names = Object.keys(CLASS_COLOURS) as (keyof typeof CLASS_COLOURS)[];
  const columns = names.map((name) => samples.map((s) => s.breakdown[name]));
  const rows = decimate(axis.values, [samples.map((s) => s.rssBytes), ...columns], POINTS);
  return svgChart({
    title: `${run.result.run.allocator}: where the resident bytes are`,
    x: rows.map((i) => axis.values[i]!),
    xLabel: axis.label,
    xText: axis.text,
    yText: bytes,
    stacked: true,
    lines: names.map((name, c) => ({
      label: name,
      colour: CLASS_COLOURS[name],
      values: rows.map((i) => columns[c]![i]!),
    })),
    marks: marksOf(run),
  });
}

function marksOf({ result }: ReportRun): { x: number; label: string }[] {
  const { values } = axisOf(result);
  const named = result.samples.map((s, i) => ({ x: values[i]!, label: s.label })).filter((m) => !/^[#(]/.test(m.label));
  const step = Math.ceil(named.length / MARKS);
  return named.filter((_, i) => i % step === 0);
}

function heatFigure(run: ReportRun): string {
  const heat = run.heat!;
  const cells = Buffer.from(heat.cells, 'base64');
  const columns = heat.events.length;
  const names = heat.rows.flatMap(({ name }, row) =>
    name && name !== heat.rows[row - 1]?.name ? [{ row, name }] : [],
  );
  return svgGrid(
    `${run.result.run.allocator}: address space over time (live share: red none, blue all)`,
    columns,
    heat.rows.length,
    (x, y) => heatColour(cells[y * columns + x]!),
    names,
  );
}

/** Five steps of occupancy are told apart in print. */
function heatColour(value: number): string | undefined {
  if (value >> 4 === 0) return undefined;
  return ['#d53e21', '#f4b23e', '#a9c46c', '#50aa8c', '#1464b4'][Math.round(((value & 15) / 15) * 4)];
}

function waitsFigure(run: ReportRun): string | undefined {
  const timeline = run.result.concurrency?.timeline;
  if (!timeline || timeline.locks.length < 2) return undefined;
  const causes = [
    ['allocator locks', timeline.locks],
    ['kernel locks', timeline.kernelLocks],
    ['no free processor', timeline.processors],
    ['other threads', timeline.otherThreads],
  ] as const;
  return svgChart({
    title: `${run.result.run.allocator}: threads that wait`,
    x: timeline.locks.map((_, i) => i * timeline.widthNs),
    xLabel: timeLabel(run.result.run.mode),
    xText: duration,
    yText: (v) => v.toFixed(1),
    stacked: true,
    lines: causes.map(([label, ns], i) => ({
      label,
      colour: RUN_COLOURS[i]!,
      values: ns.map((v) => v / timeline.widthNs),
    })),
  });
}

const fileName = (allocator: string) => allocator.replace(/[^A-Za-z0-9.=_-]+/g, '_').slice(0, 60);
