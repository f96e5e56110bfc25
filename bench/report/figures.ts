import { basename } from 'node:path';
import { bytes, count, duration } from '../../sim/contract/format.ts';
import { axisOf, residentAt, timeLabel } from './axis.ts';
import { decimate } from './decimate.ts';
import type { Histograms } from './histograms.ts';
import { CLASSES, classBytes, RUN_COLOURS, shownClasses } from './names.ts';
import type { ReportRun } from './report-run.ts';
import { type Shade, type SvgLine, svgBars, svgChart, svgGrid } from './svg.ts';
import { verdictOf } from './verdict.ts';

const POINTS = 700;
const MARKS = 12;

/** The one picture: of a run what its memory is over time, of several the resident memory of each. */
export function svgPicture(runs: readonly ReportRun[]): string {
  return runs.length === 1 ? breakdownFigure(runs[0]!) : residentFigure(runs);
}

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
      files.set(file, svgBars(title, labels, values, y, y === bytes, RUN_COLOURS[0]!));
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
    label: 'asked for',
    colour: undefined,
    dash: '5 4',
    values: samples.map((s) => s.requestedBytes),
  });
  const rows = decimate(
    axis.values,
    lines.map((l) => l.values),
    POINTS,
  );
  return svgChart({
    title: `${basename(longest.result.run.workload)}: resident memory`,
    x: fromOrigin(axis.values, rows),
    xLabel: axis.label,
    xText: axis.text,
    yText: bytes,
    isBytes: true,
    lines: lines.map((l) => ({ ...l, values: fromOrigin(l.values, rows, axis.values) })),
    marks: marksOf(longest),
  });
}

/** The program began with nothing. */
function fromOrigin(values: readonly number[], rows: readonly number[], x = values): number[] {
  return [...((x[0] ?? 0) > 0 ? [0] : []), ...rows.map((i) => values[i]!)];
}

const lastOf = (values: readonly number[]): number => values.at(-1) ?? 0;

function breakdownFigure(run: ReportRun): string {
  const { run: description, samples } = run.result;
  const axis = axisOf(run.result);
  const classes = shownClasses(samples);
  const columns = classes.map(({ key }) => samples.map((s) => classBytes(s, key)));
  const asked = samples.map((s) => s.requestedBytes);
  const rows = decimate(axis.values, [samples.map((s) => s.rssBytes), asked, ...columns], POINTS);
  const drawn = (values: readonly number[]) => fromOrigin(values, rows, axis.values);
  return svgChart({
    title: `${basename(description.workload)} under ${description.allocator}: resident memory`,
    subtitle: verdictOf(run).headline,
    x: drawn(axis.values),
    xLabel: axis.label,
    xText: axis.text,
    yText: bytes,
    isBytes: true,
    stacked: true,
    lines: [
      ...classes.map(
        ({ name, light, dark }, c): SvgLine => ({
          label: name.toLowerCase(),
          colour: { light, dark },
          values: drawn(columns[c]!),
        }),
      ),
      { label: 'asked for', colour: undefined, dash: '5 4', over: true, values: drawn(asked) },
    ],
    marks: marksOf(run),
  });
}

function marksOf({ result }: ReportRun): { x: number; label: string }[] {
  const { values } = axisOf(result);
  const named = result.samples.map((s, i) => ({ x: values[i]!, label: s.label })).filter((m) => !/^[#(]/.test(m.label));
  const step = Math.ceil(named.length / MARKS);
  return named.filter((_, i) => i % step === 0);
}

/** From none of what is resident in use to all of it: five steps are told apart in print. */
const OCCUPANCY = 5;

function heatFigure(run: ReportRun): string {
  const heat = run.heat!;
  const axis = axisOf(run.result);
  const cells = Buffer.from(heat.cells, 'base64');
  const columns = heat.events.length;
  const seen = run.result.run.mode === 'lockstep' ? heat.events : heat.ns;
  // Each column from where it is the nearest, as on the page.
  const x = seen.map((at, i) => (at + (seen[i - 1] ?? 0)) / 2);
  return svgGrid({
    title: `${basename(run.result.run.workload)} under ${run.result.run.allocator}: the address space`,
    subtitle: 'Blue: requested, slack, metadata. Amber: free, and resident all the same. Blank: not resident.',
    rows: heat.rows.length,
    x,
    end: Math.max(lastOf(axis.values), lastOf(seen)),
    xLabel: axis.label,
    xText: axis.text,
    shades: Array.from({ length: OCCUPANCY }, (_, i) => mixed(FREE, CLASSES[0]!, i / (OCCUPANCY - 1))),
    shadeAt: (column, row) => {
      const value = cells[row * columns + column]!;
      return value >> 4 === 0 ? -1 : Math.round(((value & 15) / 15) * (OCCUPANCY - 1));
    },
    names: heat.groups.map(({ name, from }) => ({ row: from, name })),
  });
}

const FREE = CLASSES.find((c) => c.key === 'returnable')!;

function mixed(from: Shade, to: Shade, share: number): Shade {
  const mix = (x: string, y: string) => {
    const channel = (hex: string, i: number) => Number.parseInt(hex.slice(i, i + 2), 16);
    const parts = [1, 3, 5].map((i) => Math.round(channel(x, i) + (channel(y, i) - channel(x, i)) * share));
    return `#${parts.map((v) => v.toString(16).padStart(2, '0')).join('')}`;
  };
  return { light: mix(from.light, to.light), dark: mix(from.dark, to.dark) };
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
    isBytes: false,
    stacked: true,
    lines: causes.map(([label, ns], i) => ({
      label,
      colour: RUN_COLOURS[i]!,
      values: ns.map((v) => v / timeline.widthNs),
    })),
  });
}

const fileName = (allocator: string) => allocator.replace(/[^A-Za-z0-9.=_-]+/g, '_').slice(0, 60);
