interface Line {
  readonly label: string;
  readonly values: (number | null)[];
  readonly colour: string;
  readonly dash?: number[];
  readonly fill?: string;
  readonly bars?: boolean;
  /** Drawn over a stack, and not a part of it. */
  readonly over?: boolean;
}

/** A vertical line; a strong one is drawn over the others. */
interface Mark {
  readonly x: number;
  readonly label: string;
  readonly strong?: boolean;
}

interface ChartOptions {
  readonly label: string;
  readonly x: number[];
  readonly xText: (value: number) => string;
  /** Where its ticks may lie apart. */
  readonly xSteps?: number[];
  readonly yText: (value: number) => string;
  readonly lines: readonly Line[];
  readonly height?: number;
  readonly marks?: readonly Mark[];
  /** Of a stacked chart: what a series stands for is its distance from the one below. */
  readonly stacked?: boolean;
  /** A height that the curves may miss, between two samples. */
  readonly level?: { readonly y: number; readonly label: string };
  /** Shared by all charts over the same axis. */
  readonly view?: TimeView;
}

/** Ticks of byte axes lie at round binary numbers, those of counts at whole ones. */
const BINARY_STEPS = Array.from({ length: 50 }, (_, i) => 2 ** i);
const WHOLE_STEPS = Array.from({ length: 48 }, (_, i) => [1, 2, 5][i % 3]! * 10 ** Math.floor(i / 3));
/** Room for `1.75 GiB`. */
const GUTTER = 76;
/** The height of a strong mark's label. */
const STRONG_LABEL = 15;

const charts = new Map<uPlot, () => void>();

const widthOf = (place: HTMLElement) => Math.max(220, place.clientWidth - 22);

/** A chart that follows the width of its place, the keyboard, and the view that it shares. */
function drawChart(place: HTMLElement, options: ChartOptions): uPlot {
  const { lines, x, marks = [], view, level } = options;
  const isBytes = options.yText === bytesText;
  const axis = (text: (value: number) => string, size: number, space: number): uPlot.Axis => ({
    stroke: () => styleValue('--dim'),
    grid: { stroke: () => styleValue('--line'), width: 1 },
    ticks: { stroke: () => styleValue('--line'), width: 1 },
    values: (_u, splits) => splits.map((v) => (v === null ? '' : text(v))),
    size,
    space,
  });
  const chart = new uPlot(
    {
      width: widthOf(place),
      height: options.height ?? 300,
      padding: [marks.some((mark) => mark.strong) ? STRONG_LABEL + 5 : 10, 24, 0, 0],
      scales: {
        x: { time: false, ...xRange(options) },
        y: { range: (_u, _least, greatest) => [0, Math.max(greatest, level?.y ?? 0) * 1.05 || 1] },
      },
      axes: [
        {
          ...axis(options.xText, 34, 84),
          ...(view?.whole && { incrs: WHOLE_STEPS }),
          ...(options.xSteps && { incrs: options.xSteps }),
        },
        {
          ...axis(isBytes ? axisBytesText : options.yText, GUTTER, 34),
          ...(isBytes && { incrs: BINARY_STEPS }),
          ...(options.yText === countText && { incrs: WHOLE_STEPS }),
        },
      ],
      cursor: {
        drag: { x: true, y: false, setScale: !view },
        focus: { prox: 24 },
        ...(view && { sync: { key: 'time', setSeries: false } }),
      },
      legend: { live: true, markers: legendMarkers(lines) },
      series: [{ label: 'at', value: (_u, v) => (v === null ? '–' : options.xText(v)) }, ...seriesOf(options)],
      hooks: {
        draw: [
          (u) =>
            drawMarks(
              u,
              marks.filter((mark) => !mark.strong),
            ),
          (u) => marks.filter((mark) => mark.strong).forEach((mark) => void drawStrongMark(u, mark)),
          (u) => level && drawLevel(u, level),
        ],
        setSelect: view ? [(u) => selectTime(u, view)] : [],
      },
    },
    [x, ...lines.map((line) => line.values)] as uPlot.AlignedData,
    place,
  );
  place.tabIndex = 0;
  place.setAttribute('role', 'group');
  place.setAttribute('aria-label', `${options.label}. Arrow keys move, plus and minus zoom, 0 shows all.`);
  const own = view ?? createTimeView(x[0] ?? 0, x.at(-1) ?? 1);
  const follow = () => chart.setScale('x', { min: own.from, max: own.to });
  own.listeners.add(follow);
  place.addEventListener('keydown', (event) => chartKey(chart, own, event));
  chart.over.addEventListener('wheel', (event) => wheelTime(event, own, chart.posToVal(event.offsetX, 'x'), place), {
    passive: false,
  });
  chart.over.addEventListener('dblclick', () => showAllTime(own));
  charts.set(chart, () => own.listeners.delete(follow));
  return chart;
}

/** That of the shared view; bars reach half a step beyond the first and the last. */
function xRange({ view, lines }: ChartOptions): Pick<uPlot.Scale, 'range'> {
  if (view) return { range: () => [view.from, view.to] };
  return lines.some((line) => line.bars) ? { range: (_u, least, greatest) => [least - 0.5, greatest + 0.5] } : {};
}

/** An area as a box, a line as a line, dashed as it is drawn. */
function legendMarkers(lines: readonly Line[]): uPlot.Legend.Markers {
  return {
    width: 0,
    fill: (_u, series) => {
      const { colour, dash, fill } = lines[series - 1]!;
      if (fill) return fill;
      const [drawn, gap] = dash ? [5, 9] : [9, 9];
      return `repeating-linear-gradient(90deg, ${colour} 0 ${drawn}px, transparent ${drawn}px ${gap}px) 0 / 100% 3px repeat-x content-box`;
    },
  };
}

function seriesOf(options: ChartOptions): uPlot.Series[] {
  const { lines, stacked = false, yText } = options;
  const own = (u: uPlot, series: number, row: number): number | null => {
    const value = u.data[series]![row] as number | null | undefined;
    if (value === null || value === undefined) return null;
    const below = lines[series]; // series 0 is the axis
    return stacked && below && !lines[series - 1]!.over && !below.over
      ? value - ((u.data[series + 1]![row] as number) ?? 0)
      : value;
  };
  return lines.map(
    (line, i): uPlot.Series => ({
      label: line.label,
      stroke: line.colour,
      width: line.fill ? 1 : 1.8,
      ...(line.dash && { dash: line.dash }),
      ...(line.fill && { fill: line.fill }),
      ...(line.bars && { paths: uPlot.paths.bars!({ size: [0.85, 60] }) }),
      spanGaps: true,
      // One value makes no line.
      points: { show: line.values.filter((value) => value !== null).length === 1, size: 7 },
      value: (u, _v, _s, row) => {
        const value = row === null ? null : own(u, i + 1, row);
        return value === null ? '–' : yText(value);
      },
    }),
  );
}

function selectTime(u: uPlot, view: TimeView): void {
  const { left, width } = u.select;
  if (width < 4) return;
  showTime(view, u.posToVal(left, 'x'), u.posToVal(left + width, 'x'));
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}

/** The wheel zooms a figure that has the focus, or with Ctrl; else it scrolls the page. */
function wheelTime(event: WheelEvent, view: TimeView, centre: number, place: HTMLElement): void {
  if (!event.ctrlKey && !place.contains(document.activeElement)) return;
  event.preventDefault();
  zoomTime(view, event.deltaY < 0 ? 0.75 : 1 / 0.75, centre);
}

/** Vertical lines at the sample points that the trace names, with as many labels as there is room for. */
function drawMarks(u: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  let free = -Infinity;
  const { min = 0, max = 0 } = u.scales['x']!;
  const isCrowded = marks.length > 24;
  const labels: { readonly text: string; readonly left: number; readonly width: number }[] = [];
  for (const mark of marks) {
    if (mark.x < min! || mark.x > max!) continue;
    const x = Math.round(u.valToPos(mark.x, 'x', true));
    if (isCrowded && x < free) continue;
    ctx.strokeStyle = styleValue('--fg');
    ctx.globalAlpha = 0.4;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + (isCrowded ? 22 * ratio : bbox.height));
    ctx.stroke();
    const text = mark.label.length > 24 ? `${mark.label.slice(0, 23)}…` : mark.label;
    const { width } = ctx.measureText(text);
    const left = Math.min(x + 2 * ratio, bbox.left + bbox.width - width - 4 * ratio);
    if (left < free) continue;
    labels.push({ text, left, width });
    free = left + width + 10 * ratio;
  }
  // No line runs through a label.
  ctx.globalAlpha = 1;
  for (const { text, left, width } of labels) {
    ctx.fillStyle = styleValue('--panel');
    ctx.fillRect(left, bbox.top, width + 4 * ratio, 14 * ratio);
    ctx.fillStyle = styleValue('--fg');
    ctx.fillText(text, left + 2 * ratio, bbox.top + 2 * ratio);
  }
  ctx.restore();
}

/** Its label stands above the plot, where no curve runs below it. */
function drawStrongMark(u: uPlot, { x, label }: Mark): void {
  const { min = 0, max = 0 } = u.scales['x']!;
  if (x < min! || x > max!) return;
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const at = Math.round(u.valToPos(x, 'x', true));
  ctx.save();
  ctx.strokeStyle = styleValue('--accent');
  ctx.lineWidth = 2 * ratio;
  ctx.beginPath();
  ctx.moveTo(at, bbox.top - STRONG_LABEL * ratio);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `bold ${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  const width = ctx.measureText(label).width + 6 * ratio;
  const left = at + width + 3 * ratio > bbox.left + bbox.width ? at - width - 3 * ratio : at + 3 * ratio;
  ctx.fillStyle = styleValue('--panel');
  const top = bbox.top - STRONG_LABEL * ratio;
  ctx.fillRect(left, top, width, STRONG_LABEL * ratio);
  ctx.fillStyle = styleValue('--accent');
  ctx.fillText(label, left + 3 * ratio, top + 2 * ratio);
  ctx.restore();
}

function drawLevel(u: uPlot, { y, label }: { readonly y: number; readonly label: string }): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const at = Math.round(u.valToPos(y, 'y', true));
  ctx.save();
  ctx.strokeStyle = styleValue('--bad');
  ctx.setLineDash([6 * ratio, 4 * ratio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, at);
  ctx.lineTo(bbox.left + bbox.width, at);
  ctx.stroke();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  ctx.fillStyle = styleValue('--panel');
  ctx.globalAlpha = 0.85;
  ctx.fillRect(bbox.left + 4 * ratio, at + 2 * ratio, ctx.measureText(label).width + 4 * ratio, 13 * ratio);
  ctx.globalAlpha = 1;
  ctx.fillStyle = styleValue('--bad');
  ctx.fillText(label, bbox.left + 6 * ratio, at + 3 * ratio);
  ctx.restore();
}

function chartKey(u: uPlot, view: TimeView, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const xs = u.data[0];
  const index = u.cursor.idx ?? Math.floor(xs.length / 2);
  const moveTo = (i: number) => {
    const row = Math.min(xs.length - 1, Math.max(0, i));
    if (xs[row]! < view.from || xs[row]! > view.to) panTime(view, xs[row]! < view.from ? -0.5 : 0.5);
    u.setCursor({ left: u.valToPos(xs[row]!, 'x'), top: u.over.clientHeight / 2 });
  };
  const actions: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => (event.shiftKey ? panTime(view, -0.25) : moveTo(index - 1)),
    ArrowRight: () => (event.shiftKey ? panTime(view, 0.25) : moveTo(index + 1)),
    '+': () => zoomTime(view, 0.5),
    '=': () => zoomTime(view, 0.5),
    '-': () => zoomTime(view, 2),
    '0': () => showAllTime(view),
    Home: () => moveTo(0),
    End: () => moveTo(xs.length - 1),
  };
  const action = actions[event.key];
  if (!action) return;
  action();
  event.preventDefault();
  event.stopPropagation();
}

function resizeCharts(): void {
  for (const [chart, forget] of charts) {
    const place = chart.root.parentElement;
    if (place?.isConnected) chart.setSize({ width: widthOf(place), height: chart.height });
    else {
      forget();
      charts.delete(chart);
      chart.destroy();
    }
  }
}
