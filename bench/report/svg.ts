import { escapeXml } from './escape.ts';

/** A figure as a file: fonts and colours that print, no script, no reference to anything outside. */
export interface SvgLine {
  readonly label: string;
  readonly colour: string;
  readonly values: readonly number[];
  readonly dash?: string;
}

export interface SvgChart {
  readonly title: string;
  readonly x: readonly number[];
  readonly xLabel: string;
  readonly xText: (value: number) => string;
  readonly yText: (value: number) => string;
  readonly lines: readonly SvgLine[];
  /** Areas on top of each other, the first at the bottom, instead of lines. */
  readonly stacked?: boolean;
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
}

const WIDTH = 760;
const HEIGHT = 380;
const LEFT = 76;
const RIGHT = 16;
const TOP = 34;
const BOTTOM = 78;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM;

/** A chart of lines or of stacked areas. */
export function svgChart(chart: SvgChart): string {
  const { x, lines, stacked = false } = chart;
  const sums = stacked ? stack(lines.map((l) => l.values)) : lines.map((l) => l.values);
  const top = niceCeiling(Math.max(0, ...sums.map((values) => greatest(values))));
  const [from, to] = [x[0] ?? 0, x.at(-1) ?? 1];
  const px = (v: number) => LEFT + (to === from ? 0 : ((v - from) / (to - from)) * PLOT_WIDTH);
  const py = (v: number) => TOP + PLOT_HEIGHT - (top === 0 ? 0 : (v / top) * PLOT_HEIGHT);
  const path = (values: readonly number[]) =>
    values.map((v, i) => `${i === 0 ? 'M' : 'L'}${px(x[i]!).toFixed(1)} ${py(v).toFixed(1)}`).join('');
  const body: string[] = [...axes(chart, from, to, top, px, py)];
  for (const mark of chart.marks ?? []) {
    body.push(
      `<path d="M${px(mark.x).toFixed(1)} ${TOP}V${TOP + PLOT_HEIGHT}" stroke="#999" stroke-dasharray="2 3"/>`,
      text(px(mark.x) + 3, TOP + 9, mark.label, 'start', 9, '#777'),
    );
  }
  if (stacked) {
    for (const [i, line] of [...lines.entries()].reverse()) {
      body.push(
        `<path d="${path(sums[i]!)}L${px(to).toFixed(1)} ${py(0).toFixed(1)}L${px(from).toFixed(1)} ${py(0).toFixed(1)}Z" fill="${line.colour}"/>`,
      );
    }
  } else {
    for (const line of lines) {
      body.push(
        `<path d="${path(line.values)}" fill="none" stroke="${line.colour}" stroke-width="1.5"${line.dash ? ` stroke-dasharray="${line.dash}"` : ''}/>`,
      );
    }
  }
  return svgDocument(chart.title, [...body, ...legend(lines)]);
}

/** Bars of equal width with a label under each. */
export function svgBars(
  title: string,
  labels: readonly string[],
  values: readonly number[],
  yText: (value: number) => string,
): string {
  const top = niceCeiling(greatest(values));
  const width = PLOT_WIDTH / Math.max(1, values.length);
  const py = (v: number) => TOP + PLOT_HEIGHT - (top === 0 ? 0 : (v / top) * PLOT_HEIGHT);
  const every = Math.max(1, Math.ceil(labels.length / 12));
  const body = values.flatMap((value, i) => [
    `<rect x="${(LEFT + i * width + 1).toFixed(1)}" y="${py(value).toFixed(1)}" width="${Math.max(1, width - 2).toFixed(1)}" height="${(TOP + PLOT_HEIGHT - py(value)).toFixed(1)}" fill="#0072b2"/>`,
    ...(i % every === 0 ? [text(LEFT + (i + 0.5) * width, TOP + PLOT_HEIGHT + 15, labels[i]!, 'middle', 10)] : []),
  ]);
  return svgDocument(title, [...yAxis(top, py, yText), ...body]);
}

/** Cells of a grid, row 0 at the bottom; neighbours of one colour are one rectangle. */
export function svgGrid(
  title: string,
  columns: number,
  rows: number,
  colour: (x: number, y: number) => string | undefined,
  names: readonly { readonly row: number; readonly name: string }[],
): string {
  const cellWidth = PLOT_WIDTH / columns;
  const cellHeight = PLOT_HEIGHT / rows;
  const body: string[] = [];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; ) {
      const fill = colour(x, y);
      let end = x + 1;
      while (end < columns && colour(end, y) === fill) end++;
      if (fill) {
        body.push(
          `<rect x="${(LEFT + x * cellWidth).toFixed(2)}" y="${(TOP + PLOT_HEIGHT - (y + 1) * cellHeight).toFixed(2)}" width="${((end - x) * cellWidth + 0.05).toFixed(2)}" height="${(cellHeight + 0.05).toFixed(2)}" fill="${fill}" shape-rendering="crispEdges"/>`,
        );
      }
      x = end;
    }
  }
  let free = Infinity;
  for (const { row, name } of names) {
    const y = TOP + PLOT_HEIGHT - row * cellHeight;
    if (free - y < 12) continue;
    body.push(text(LEFT - 5, y, name.slice(0, 14), 'end', 9));
    free = y;
  }
  return svgDocument(title, body);
}

function axes(
  chart: SvgChart,
  from: number,
  to: number,
  top: number,
  px: (v: number) => number,
  py: (v: number) => number,
): string[] {
  const parts = yAxis(top, py, chart.yText);
  for (let i = 0; i <= 5; i++) {
    const value = from + ((to - from) * i) / 5;
    parts.push(text(px(value), TOP + PLOT_HEIGHT + 16, chart.xText(value), i === 5 ? 'end' : 'middle', 10));
  }
  parts.push(text(LEFT + PLOT_WIDTH / 2, TOP + PLOT_HEIGHT + 32, chart.xLabel, 'middle', 11));
  return parts;
}

function yAxis(top: number, py: (v: number) => number, yText: (value: number) => string): string[] {
  const parts: string[] = [];
  for (let i = 0; i <= 4; i++) {
    const value = (top * i) / 4;
    parts.push(
      `<path d="M${LEFT} ${py(value).toFixed(1)}H${LEFT + PLOT_WIDTH}" stroke="#ddd"/>`,
      text(LEFT - 6, py(value) + 3, yText(value), 'end', 10),
    );
  }
  return parts;
}

function legend(lines: readonly SvgLine[]): string[] {
  const parts: string[] = [];
  let x = LEFT;
  let y = HEIGHT - 26;
  for (const line of lines) {
    const width = 26 + line.label.length * 6.2;
    if (x + width > WIDTH - RIGHT && x > LEFT) {
      x = LEFT;
      y += 14;
    }
    parts.push(`<rect x="${x}" y="${y - 8}" width="14" height="8" fill="${line.colour}"/>`);
    parts.push(text(x + 18, y, line.label, 'start', 11));
    x += width;
  }
  return parts;
}

function text(x: number, y: number, content: string, anchor: string, size: number, fill = '#222'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" fill="${fill}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

function svgDocument(title: string, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="Helvetica, Arial, sans-serif">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="20" font-size="14" font-weight="bold" fill="#222">${escapeXml(title)}</text>`,
    ...body,
    '</svg>\n',
  ].join('\n');
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

/** 1, 1.5, 2, 3, 4, 6 or 8 times a power of two: round in bytes as well as in counts. */
function niceCeiling(value: number): number {
  if (value <= 0) return 0;
  const power = 2 ** Math.floor(Math.log2(value));
  for (const factor of [1, 1.25, 1.5, 2]) if (power * factor >= value) return power * factor;
  return power * 2;
}
