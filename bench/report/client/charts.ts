interface Line {
  readonly label: string;
  readonly values: (number | null)[];
  readonly colour: string;
  readonly dash?: number[];
  readonly fill?: string;
  readonly bars?: boolean;
}

interface ChartOptions {
  readonly label: string;
  readonly x: number[];
  readonly xText: (value: number) => string;
  readonly yText: (value: number) => string;
  readonly lines: readonly Line[];
  readonly height?: number;
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
  /** Of a stacked chart: what a series stands for is its distance from the one below. */
  readonly stacked?: boolean;
}

/** Ticks of byte axes lie at round binary numbers. */
const BINARY_STEPS = Array.from({ length: 50 }, (_, i) => 2 ** i);

const charts = new Set<uPlot>();

/** A chart that follows the width of its place, the theme, the wheel and the keyboard. */
function drawChart(place: HTMLElement, options: ChartOptions): uPlot {
  const { lines, x, marks = [], stacked = false } = options;
  const axis = (text: (value: number) => string, size: number): uPlot.Axis => ({
    ...(text === bytesText && { incrs: BINARY_STEPS }),
    stroke: () => styleValue('--dim'),
    grid: { stroke: () => styleValue('--line'), width: 1 },
    ticks: { stroke: () => styleValue('--line'), width: 1 },
    values: (_u, splits) => splits.map((v) => (v === null ? '' : text(v))),
    size,
  });
  const own = (u: uPlot, series: number, row: number): number | null => {
    const value = u.data[series]![row] as number | null | undefined;
    if (value === null || value === undefined) return null;
    return stacked && series + 1 < u.data.length ? value - ((u.data[series + 1]![row] as number) ?? 0) : value;
  };
  const chart = new uPlot(
    {
      width: Math.max(320, place.clientWidth - 22),
      height: options.height ?? 300,
      scales: { x: { time: false }, y: { range: (_u, _least, greatest) => [0, greatest > 0 ? greatest * 1.05 : 1] } },
      axes: [axis(options.xText, 40), axis(options.yText, 78)],
      cursor: { drag: { x: true, y: false }, focus: { prox: 24 } },
      legend: { live: true },
      series: [
        { label: 'at', value: (_u, v) => (v === null ? '-' : options.xText(v)) },
        ...lines.map(
          (line, i): uPlot.Series => ({
            label: line.label,
            stroke: line.colour,
            width: line.fill ? 1 : 1.6,
            ...(line.dash && { dash: line.dash }),
            ...(line.fill && { fill: line.fill }),
            ...(line.bars && { paths: uPlot.paths.bars!({ size: [0.85, 60] }) }),
            spanGaps: true,
            points: { show: false },
            value: (u, _v, _s, row) => {
              const value = row === null ? null : own(u, i + 1, row);
              return value === null ? '-' : options.yText(value);
            },
          }),
        ),
      ],
      hooks: { draw: [(u) => drawMarks(u, marks)] },
    },
    [x, ...lines.map((line) => line.values)] as uPlot.AlignedData,
    place,
  );
  place.tabIndex = 0;
  place.setAttribute('role', 'group');
  place.setAttribute('aria-label', `${options.label}. Arrow keys move, plus and minus zoom, 0 shows all.`);
  place.addEventListener('keydown', (event) => chartKey(chart, event));
  chart.over.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      zoomX(chart, event.deltaY < 0 ? 0.75 : 1 / 0.75, chart.posToVal(event.offsetX, 'x'));
    },
    { passive: false },
  );
  charts.add(chart);
  return chart;
}

/** Vertical lines at the sample points that the trace names, with as many labels as there is room for. */
function drawMarks(u: uPlot, marks: readonly { x: number; label: string }[]): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = styleValue('--dim');
  ctx.fillStyle = styleValue('--dim');
  ctx.globalAlpha = 0.55;
  ctx.setLineDash([2 * ratio, 3 * ratio]);
  ctx.font = `${10 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  let free = -Infinity;
  const { min = 0, max = 0 } = u.scales['x']!;
  for (const mark of marks) {
    if (mark.x < min! || mark.x > max!) continue;
    const x = Math.round(u.valToPos(mark.x, 'x', true));
    if (x < free && marks.length > 40) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (x < free) continue;
    ctx.fillText(mark.label, x + 3 * ratio, bbox.top + 2 * ratio);
    free = x + ctx.measureText(mark.label).width + 10 * ratio;
  }
  ctx.restore();
}

function zoomX(u: uPlot, factor: number, centre: number): void {
  const xs = u.data[0];
  const all: [number, number] = [xs[0]!, xs[xs.length - 1]!];
  const { min, max } = u.scales['x']!;
  const from = Math.max(all[0], centre - (centre - min!) * factor);
  const to = Math.min(all[1], centre + (max! - centre) * factor);
  if (to > from) u.setScale('x', { min: from, max: to });
}

function panX(u: uPlot, share: number): void {
  const xs = u.data[0];
  const { min, max } = u.scales['x']!;
  const width = max! - min!;
  const from = Math.min(Math.max(xs[0]!, min! + width * share), xs[xs.length - 1]! - width);
  u.setScale('x', { min: from, max: from + width });
}

function chartKey(u: uPlot, event: KeyboardEvent): void {
  const xs = u.data[0];
  const { min, max } = u.scales['x']!;
  const index = u.cursor.idx ?? Math.floor(xs.length / 2);
  const moveTo = (i: number) => {
    const row = Math.min(xs.length - 1, Math.max(0, i));
    if (xs[row]! < u.scales['x']!.min! || xs[row]! > u.scales['x']!.max!) panX(u, xs[row]! < min! ? -0.5 : 0.5);
    u.setCursor({ left: u.valToPos(xs[row]!, 'x'), top: u.over.clientHeight / 2 });
  };
  switch (event.key) {
    case 'ArrowLeft':
      if (event.shiftKey) panX(u, -0.25);
      else moveTo(index - 1);
      break;
    case 'ArrowRight':
      if (event.shiftKey) panX(u, 0.25);
      else moveTo(index + 1);
      break;
    case '+':
    case '=':
      zoomX(u, 0.5, (min! + max!) / 2);
      break;
    case '-':
      zoomX(u, 2, (min! + max!) / 2);
      break;
    case '0':
      u.setScale('x', { min: xs[0]!, max: xs[xs.length - 1]! });
      break;
    case 'Home':
      moveTo(0);
      break;
    case 'End':
      moveTo(xs.length - 1);
      break;
    default:
      return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function resizeCharts(): void {
  for (const chart of charts) {
    const place = chart.root.parentElement;
    if (!place) charts.delete(chart);
    else chart.setSize({ width: Math.max(320, place.clientWidth - 22), height: chart.height });
  }
}

function redrawCharts(): void {
  for (const chart of charts) chart.redraw(false, true);
}
