interface TimeAxis {
  readonly view: TimeView;
  readonly isTime: boolean;
  readonly xText: (value: number) => string;
}

const axisValues = (curves: Curves, axis: TimeAxis): number[] => (axis.isTime ? curves.ns : curves.event);

function stacked(columns: readonly (readonly number[])[]): number[][] {
  const sums: number[][] = [];
  for (const column of columns) {
    const below = sums.at(-1);
    sums.push(column.map((v, i) => v + (below?.[i] ?? 0)));
  }
  return sums;
}

/** An allocator without slabs has no class of theirs. */
const shownClasses = ({ classes }: PageData, { columns }: Curves): number[] =>
  [...classes.keys()].filter(
    (k) => classes[k]!.key !== 'withinSlabs' || columns.withinSlabs.some((value) => value > 0),
  );

/** The resident bytes by class, stacked over time, and what the program asked for as a line over them. */
function drawClasses(
  place: HTMLElement,
  data: PageData,
  run: RunData,
  c: Curves,
  axis: TimeAxis,
  marks: ChartOptions['marks'],
): uPlot {
  const sums = stacked(data.classes.map(({ key }) => c.columns[key]));
  const chart = drawChart(place, {
    label: 'Resident bytes over time, by what they are',
    x: axisValues(c, axis),
    xText: axis.xText,
    yText: bytesText,
    height: 340,
    stacked: true,
    view: axis.view,
    // The highest sum first: each lower one is painted over it.
    lines: [
      ...shownClasses(data, c)
        .reverse()
        .map((k) => {
          const colour = shade(data.classes[k]!);
          return { label: data.classes[k]!.name, values: sums[k]!, colour, fill: colour };
        }),
      {
        label: 'Asked for',
        values: c.columns.requestedBytes,
        colour: styleValue('--fg'),
        dash: [5, 4],
        over: true,
      },
      { label: 'Resident', values: c.columns.rssBytes, colour: styleValue('--fg'), over: true },
    ],
    ...(marks && { marks }),
    ...(run.rssPeakBytes > Math.max(...c.columns.rssBytes) * 1.01 && {
      level: { y: run.rssPeakBytes, label: `${bytesText(run.rssPeakBytes)} at most, between two samples` },
    }),
  });
  if (run.series.count < run.series.sampleCount) {
    place.append(
      emptyNote(
        `${countText(run.series.count)} of ${countText(run.series.sampleCount)} samples are drawn: every stretch keeps its least and its greatest.`,
      ),
    );
  }
  return chart;
}

/** Resident bytes of all runs on one axis, with gaps where one was not sampled. */
function drawRuns(place: HTMLElement, data: PageData, all: readonly Curves[], axis: TimeAxis): uPlot {
  const tables = all.map((c) => uniqueX([axisValues(c, axis), c.columns.rssBytes, c.columns.requestedBytes]));
  const joined = tables.length > 1 ? uPlot.join(tables) : tables[0]!;
  const lines = data.runs.map(
    (run, i): Line => ({
      label: run.name,
      values: joined[1 + i * 2] as (number | null)[],
      colour: runColour(data, i),
      ...runDash(data, i),
    }),
  );
  const asked: Line = {
    label: 'Asked for',
    values: joined[2] as (number | null)[],
    colour: styleValue('--dim'),
    dash: [5, 4],
  };
  return drawChart(place, {
    label: 'Resident bytes of all runs',
    x: joined[0] as number[],
    xText: axis.xText,
    yText: bytesText,
    height: 340,
    view: axis.view,
    lines: [...lines, asked],
  });
}

const runColour = (data: PageData, index: number): string => shade(data.runColours[index % data.runColours.length]!);

/** Where the colours begin anew, lines are dashed. */
const runDash = (data: PageData, index: number): Pick<Line, 'dash'> =>
  index >= data.runColours.length ? { dash: [4, 3] } : {};

/** uPlot joins on distinct x: the last row of several at one point stays. */
function uniqueX(table: readonly (readonly number[])[]): uPlot.AlignedData {
  const xs = table[0]!;
  const keep = xs.map((_, i) => i).filter((i) => i === xs.length - 1 || xs[i] !== xs[i + 1]);
  return table.map((column) => keep.map((i) => column[i]!)) as unknown as uPlot.AlignedData;
}

/** Of fewer threads that wait on average no picture is drawn. */
const FEW_THREADS = 0.05;

function drawWaits(into: HTMLElement, data: PageData, run: RunData, axis: TimeAxis): void {
  if (!run.waits) return;
  const { widthNs, causes } = run.waits;
  const times = causes[0]!.ns.map((_, i) => i * widthNs);
  if (times.length < 2) return;
  // Nobody waits behind the last stretch: so the curves go on to the end.
  const rest = [times.at(-1)! + widthNs, axis.isTime ? axis.view.all[1] : 0].filter((ns) => ns > times.at(-1)!);
  const x = [...times, ...rest];
  const place = panel(
    'Threads that wait',
    into,
    'chart-waits',
    'How many threads stand still at a time, and what for.',
  );
  const sums = stacked(causes.map((cause) => [...cause.ns, ...rest.map(() => 0)].map((ns) => ns / widthNs)));
  const most = Math.max(...sums.at(-1)!);
  if (most < FEW_THREADS) {
    place.append(
      emptyNote(
        most === 0 ? 'No thread ever waited.' : `Hardly any: never more than ${most.toPrecision(2)} threads at a time.`,
      ),
    );
    return;
  }
  drawChart(place, {
    label: 'Threads that wait, by cause, stacked',
    x,
    xText: axisNsText,
    yText: (v) => v.toFixed(v < 10 && v !== Math.round(v) ? 2 : 0),
    height: 220,
    stacked: true,
    ...(axis.isTime && { view: axis.view }),
    lines: [...causes.keys()].reverse().map((k) => {
      const colour = runColour(data, k);
      return { label: causes[k]!.name, values: sums[k]!, colour, fill: colour };
    }),
  });
}

function drawHistograms(data: PageData, into: HTMLElement): void {
  const h = data.histograms;
  if (!h) return;
  if (h.sizes.length === 0) {
    panel('What the program asks for', into, 'sizes').append(emptyNote('It asks for nothing.'));
    return;
  }
  const two = element('div', { class: 'two' });
  into.append(two);
  const colour = shade(data.classes[0]!);
  const draw: (() => void)[] = [];
  const bars = (label: string, id: string, values: readonly number[], unit: (v: number) => string, y = countText) => {
    if (values.length === 0) return;
    const place = panel(label, two, id);
    const options: ChartOptions = {
      label,
      x: values.map((_, i) => i),
      xText: (v) => (Number.isInteger(v) ? unit(v === 0 ? 0 : 2 ** v) : ''),
      yText: y,
      height: 200,
      lines: [{ label: y === bytesText ? 'bytes' : 'blocks', values: [...values], colour, fill: colour, bars: true }],
    };
    draw.push(() => drawChart(place, options));
  };
  bars('Blocks by the size asked for', 'chart-sizes', h.sizes, axisBytesText);
  bars('Bytes by the size asked for', 'chart-size-bytes', h.sizeBytes, axisBytesText, bytesText);
  bars('Blocks by how long they live, in events', 'chart-lifetimes', h.lifetimeEvents, countText);
  bars('Blocks by how long they live, in time', 'chart-lifetimes-ns', h.lifetimeNs, nsText);
  // How wide a panel is, is known when all are there.
  for (const one of draw) one();
}
