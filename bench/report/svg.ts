import { escapeXml } from './escape.ts';

/** A colour on white and on black. */
export interface Shade {
  readonly light: string;
  readonly dark: string;
}

/** A figure as a file: colours for light and dark, no script, no reference to anything outside. */
export interface SvgLine {
  readonly label: string;
  /** Undefined: the colour of text. */
  readonly colour: Shade | undefined;
  readonly values: readonly number[];
  readonly dash?: string;
  /** Of a stacked chart: a line over the stack, and no part of it. */
  readonly over?: boolean;
}

export interface SvgChart {
  readonly title: string;
  /** What there is to be seen, in a sentence. */
  readonly subtitle?: string;
  readonly x: readonly number[];
  readonly xLabel: string;
  readonly xText: (value: number) => string;
  readonly yText: (value: number) => string;
  readonly isBytes: boolean;
  readonly lines: readonly SvgLine[];
  /** Areas on top of each other, the first at the bottom, instead of lines. */
  readonly stacked?: boolean;
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
}

const WIDTH = 760;
const LEFT = 76;
const RIGHT = 16;
const BOTTOM = 78;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = 268;
const LINE_HEIGHT = 16;
const SUBTITLE_CHARACTERS = 108;

interface Frame {
  /** Of the plot. */
  readonly top: number;
  readonly subtitle: readonly string[];
}

function frameOf(subtitle: string | undefined): Frame {
  const lines = subtitle ? wrap(subtitle, SUBTITLE_CHARACTERS) : [];
  return { top: 34 + lines.length * LINE_HEIGHT, subtitle: lines };
}

/** A chart of lines or of stacked areas. */
export function svgChart(chart: SvgChart): string {
  const { x, lines, stacked = false } = chart;
  const frame = frameOf(chart.subtitle);
  const parts = lines.filter((l) => stacked && !l.over);
  const sums = stack(parts.map((l) => l.values));
  const curves = lines.filter((l) => !stacked || l.over);
  const top = niceCeiling(greatest([...sums, ...curves.map((l) => l.values)].map(greatest)), chart.isBytes);
  const [from, to] = [x[0] ?? 0, x.at(-1) ?? 1];
  const px = (v: number) => LEFT + (to === from ? 0 : ((v - from) / (to - from)) * PLOT_WIDTH);
  const py = (v: number) => frame.top + PLOT_HEIGHT - (top === 0 ? 0 : (v / top) * PLOT_HEIGHT);
  const path = (values: readonly number[]) =>
    values.map((v, i) => `${i === 0 ? 'M' : 'L'}${px(x[i]!).toFixed(1)} ${py(v).toFixed(1)}`).join('');
  const body: string[] = [...yAxis(top, py, chart.yText), ...xAxis(chart, frame, from, to, px)];
  for (const [i] of [...parts.entries()].reverse()) {
    const corners = `L${px(to).toFixed(1)} ${py(0).toFixed(1)}L${px(from).toFixed(1)} ${py(0).toFixed(1)}Z`;
    if (x.length > 0) body.push(`<path class="f${lines.indexOf(parts[i]!)}" d="${path(sums[i]!)}${corners}"/>`);
  }
  for (const line of curves) {
    const dash = line.dash ? ` stroke-dasharray="${line.dash}"` : '';
    body.push(`<path class="s${lines.indexOf(line)}" d="${path(line.values)}" fill="none" stroke-width="1.5"${dash}/>`);
  }
  body.push(...markLines(chart, frame, px));
  return svgDocument({
    title: chart.title,
    frame,
    body: [...body, ...legend(lines, frame)],
    shades: lines.map((l) => l.colour),
  });
}

/** Bars of equal width with a label under each. */
export function svgBars(
  title: string,
  labels: readonly string[],
  values: readonly number[],
  yText: (value: number) => string,
  isBytes: boolean,
  colour: Shade,
): string {
  const frame = frameOf(undefined);
  const top = niceCeiling(greatest(values), isBytes);
  const width = PLOT_WIDTH / Math.max(1, values.length);
  const py = (v: number) => frame.top + PLOT_HEIGHT - (top === 0 ? 0 : (v / top) * PLOT_HEIGHT);
  const every = Math.max(1, Math.ceil(labels.length / 12));
  const body = values.flatMap((value, i) => [
    `<rect class="f0" x="${(LEFT + i * width + 1).toFixed(1)}" y="${py(value).toFixed(1)}" width="${Math.max(1, width - 2).toFixed(1)}" height="${(frame.top + PLOT_HEIGHT - py(value)).toFixed(1)}"/>`,
    ...(i % every === 0
      ? [text(LEFT + (i + 0.5) * width, frame.top + PLOT_HEIGHT + 15, labels[i]!, 'middle', 10, 'd')]
      : []),
  ]);
  return svgDocument({ title, frame, body: [...yAxis(top, py, yText), ...body], shades: [colour] });
}

export interface SvgGrid {
  readonly title: string;
  readonly subtitle?: string;
  readonly rows: number;
  /** Where each column begins on the axis, and where the last one ends. */
  readonly x: readonly number[];
  readonly end: number;
  readonly xLabel: string;
  readonly xText: (value: number) => string;
  readonly shades: readonly Shade[];
  /** Index of the cell's shade, -1 for none. */
  readonly shadeAt: (column: number, row: number) => number;
  readonly names: readonly { readonly row: number; readonly name: string }[];
}

/** Cells of a grid over time, row 0 at the top; neighbours of one shade are one rectangle. */
export function svgGrid(grid: SvgGrid): string {
  const { x, rows, shadeAt } = grid;
  const frame = frameOf(grid.subtitle);
  const cellHeight = PLOT_HEIGHT / Math.max(1, rows);
  const from = Math.min(0, x[0] ?? 0);
  const px = (v: number) => LEFT + (grid.end === from ? 0 : ((v - from) / (grid.end - from)) * PLOT_WIDTH);
  const body: string[] = xAxis(grid, frame, from, grid.end, px);
  for (let y = 0; y < rows; y++) {
    for (let column = 0; column < x.length; ) {
      const shade = shadeAt(column, y);
      let next = column + 1;
      while (next < x.length && shadeAt(next, y) === shade) next++;
      if (shade >= 0) {
        const left = px(x[column]!);
        const right = next < x.length ? px(x[next]!) : Math.max(left + 1, px(grid.end));
        body.push(
          `<rect class="f${shade}" x="${left.toFixed(2)}" y="${(frame.top + y * cellHeight).toFixed(2)}" width="${(right - left + 0.05).toFixed(2)}" height="${(cellHeight + 0.05).toFixed(2)}" shape-rendering="crispEdges"/>`,
        );
      }
      column = next;
    }
  }
  let free = -Infinity;
  for (const { row, name } of grid.names) {
    const y = Math.max(frame.top + row * cellHeight + 9, free);
    if (y > frame.top + PLOT_HEIGHT) continue;
    body.push(text(LEFT - 5, y, name.length > 14 ? `${name.slice(0, 13)}…` : name, 'end', 9, 't'));
    free = y + 11;
  }
  return svgDocument({ title: grid.title, frame, body, shades: grid.shades });
}

function xAxis(
  { xLabel, xText }: Pick<SvgChart, 'xLabel' | 'xText'>,
  frame: Frame,
  from: number,
  to: number,
  px: (v: number) => number,
): string[] {
  const bottom = frame.top + PLOT_HEIGHT;
  const parts = roundTicks(from, to, 6).map((tick) =>
    text(px(tick), bottom + 16, axisText(xText(tick)), px(tick) > WIDTH - 50 ? 'end' : 'middle', 10, 'd'),
  );
  return [...parts, text(LEFT + PLOT_WIDTH / 2, bottom + 32, xLabel, 'middle', 11, 'd')];
}

function yAxis(top: number, py: (v: number) => number, yText: (value: number) => string): string[] {
  const parts: string[] = [];
  for (let i = 0; i <= 4; i++) {
    const value = (top * i) / 4;
    parts.push(
      `<path class="g" d="M${LEFT} ${py(value).toFixed(1)}H${LEFT + PLOT_WIDTH}"/>`,
      text(LEFT - 6, py(value) + 3, axisText(yText(value)), 'end', 10, 'd'),
    );
    if (top === 0) break;
  }
  return parts;
}

/** The sample points that the trace names, with as many labels as there is room for. */
function markLines({ marks = [] }: SvgChart, frame: Frame, px: (v: number) => number): string[] {
  let free = -Infinity;
  return marks.flatMap((mark) => {
    const x = px(mark.x);
    const line = `<path class="m" d="M${x.toFixed(1)} ${frame.top}V${frame.top + PLOT_HEIGHT}" stroke-dasharray="2 3"/>`;
    const width = mark.label.length * 5.2;
    const left = Math.min(x + 3, LEFT + PLOT_WIDTH - width);
    if (left < free) return [line];
    free = left + width + 6;
    return [line, text(left, frame.top + 9, mark.label, 'start', 9, 't')];
  });
}

function legend(lines: readonly SvgLine[], frame: Frame): string[] {
  const parts: string[] = [];
  let x = LEFT;
  let y = frame.top + PLOT_HEIGHT + 52;
  for (const [i, line] of lines.entries()) {
    const width = 30 + line.label.length * 6.2;
    if (x + width > WIDTH - RIGHT && x > LEFT) {
      x = LEFT;
      y += 14;
    }
    parts.push(
      line.dash
        ? `<path class="s${i}" d="M${x} ${y - 4}h14" stroke-width="1.5" stroke-dasharray="${line.dash}"/>`
        : `<rect class="f${i}" x="${x}" y="${y - 8}" width="14" height="8"/>`,
      text(x + 18, y, line.label, 'start', 11, 't'),
    );
    x += width;
  }
  return parts;
}

/** `kind`: t for text, d for what stands behind it. */
function text(x: number, y: number, content: string, anchor: string, size: number, kind: 't' | 'd'): string {
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

interface SvgDocument {
  readonly title: string;
  readonly frame: Frame;
  readonly body: readonly string[];
  /** Classes f0, f1, … fill with them, s0, s1, … draw with them. */
  readonly shades: readonly (Shade | undefined)[];
}

function svgDocument({ title, frame, body, shades }: SvgDocument): string {
  const height = frame.top + PLOT_HEIGHT + BOTTOM;
  const theme = (of: 'light' | 'dark', fg: string, dim: string, line: string, bg: string) =>
    [
      `.b{fill:${bg}}.t{fill:${fg}}.d{fill:${dim}}.g{stroke:${line}}.m{stroke:${dim}}`,
      ...shades.map((s, i) => `.f${i}{fill:${s?.[of] ?? fg}}.s${i}{stroke:${s?.[of] ?? fg}}`),
    ].join('');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="Helvetica, Arial, sans-serif">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${theme('light', '#1b1d1f', '#595e64', '#dcdedb', '#ffffff')}@media (prefers-color-scheme: dark){${theme('dark', '#e8e8e5', '#a3a9b0', '#353a40', '#14161a')}}</style>`,
    `<rect class="b" width="${WIDTH}" height="${height}"/>`,
    `<text class="t" x="16" y="22" font-size="14" font-weight="bold">${escapeXml(title)}</text>`,
    ...frame.subtitle.map((line, i) => text(16, 24 + (i + 1) * LINE_HEIGHT, line, 'start', 12, 'd')),
    ...body,
    '</svg>\n',
  ].join('\n');
}

/** Of a tick, which is round: `50.0 ms` is 50 ms. */
const axisText = (text: string): string => text.replace(/\.0+(?= |$)/, '').replace(/^0 \S+$/, '0');

function wrap(sentence: string, width: number): string[] {
  const lines: string[] = [''];
  for (const word of sentence.split(' ')) {
    const line = lines.at(-1)!;
    if (line && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}

function stack(columns: readonly (readonly number[])[]): number[][] {
  const sums: number[][] = [];
  for (const values of columns) {
    const below = sums.at(-1);
    sums.push(values.map((v, i) => v + (below?.[i] ?? 0)));
  }
  return sums;
}

function greatest(values: readonly number[]): number {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  return most;
}

/** Four times it is a round number of bytes, or of what is counted in tens. */
function niceCeiling(value: number, isBytes: boolean): number {
  if (value <= 0) return 0;
  if (!isBytes && value <= 4) return 4;
  const base = isBytes ? 2 : 10;
  const power = base ** Math.floor(Math.log(value) / Math.log(base) + 1e-9);
  const factors = isBytes ? [1, 1.25, 1.5, 2] : [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10];
  return power * factors.find((factor) => power * factor >= value * 0.999_999)!;
}

/** At 1, 2 or 5 times a power of ten, about so many. */
export function roundTicks(from: number, to: number, about: number): number[] {
  const raw = (to - from) / Math.max(1, about);
  if (!(raw > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw * 0.999)!;
  const ticks: number[] = [];
  for (let k = Math.ceil(from / step); k * step <= to; k++) ticks.push(k * step);
  return ticks;
}
