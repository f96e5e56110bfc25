interface PageState {
  byTime: boolean;
  chosenRun: number;
  chosenMoment: number;
}

/** A report while it is read: its data, what was chosen, and where it is drawn. */
interface ReportPage {
  readonly data: PageData;
  /** Of each run: its samples in their order, by event, by time. */
  readonly decoded: readonly Curves[];
  readonly byEvent: readonly Curves[];
  readonly byNs: readonly Curves[];
  readonly state: PageState;
  readonly body: HTMLElement;
  readonly redraw: () => void;
}

/** The page: the verdict and the one picture first, then where the memory lies, then what it cost. */
function drawPage(data: PageData): void {
  const decoded = data.runs.map(decodeCurves);
  const byNs = decoded.map((c) => orderedBy(c, 'ns'));
  const hasTime = byNs.some((c) => (c.ns.at(-1) ?? 0) > 0);
  const report: ReportPage = {
    data,
    decoded,
    byEvent: decoded.map((c) => orderedBy(c, 'event')),
    byNs,
    state: {
      byTime: hasTime && data.runs.some((r) => r.mode !== 'lockstep'),
      chosenRun: data.runs.length > 1 ? 1 : 0,
      chosenMoment: 0,
    },
    body: element('div', { id: 'body' }),
    redraw: () => drawBody(report),
  };
  const { state, body, redraw } = report;
  document.getElementById('page')!.replaceChildren(drawHeader(data, hasTime, state, redraw), body);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[1-9]$/.test(event.key)) chooseRun(report, Number(event.key) - 1);
    else if (event.key === 't' && hasTime) switchAxis(state, redraw);
    else if (event.key === 'd') toggleTheme();
  });
  onThemeChange(redraw);
  onWidthChange(redraw);
  redraw();
}

function drawBody(report: ReportPage): void {
  const { data, body } = report;
  const { scrollY } = window;
  body.replaceChildren();
  resizeCharts();
  if (data.runs.length > 1) drawComparison(report);
  drawRun(report);
  drawCommon(report);
  document.documentElement.dataset['ready'] = 'true';
  window.scrollTo(0, scrollY);
}

const curvesOf = ({ state, byNs, byEvent }: ReportPage, index: number): Curves =>
  (state.byTime ? byNs : byEvent)[index]!;

function timeAxis(report: ReportPage, indices: readonly number[]): TimeAxis {
  const isTime = report.state.byTime;
  const xs = indices.map((i) => (isTime ? curvesOf(report, i).ns : curvesOf(report, i).event));
  const view = createTimeView(0, Math.max(0, ...xs.map((x) => x.at(-1) ?? 0)), !isTime);
  return { view, isTime, xText: isTime ? axisNsText : (value) => countText(value) };
}

function chooseRun(report: ReportPage, index: number): void {
  const { data, state, redraw } = report;
  if (index >= data.runs.length || index === state.chosenRun) return;
  state.chosenRun = index;
  state.chosenMoment = 0;
  redraw();
}

function drawComparison(report: ReportPage): void {
  const { data, state, body } = report;
  body.append(verdictPanel(data.differences[Math.max(0, state.chosenRun - 1)]!, []));
  const place = panel('Resident memory of each', body, 'chart-rss');
  const all = [...data.runs.keys()];
  if (data.runs.every((run) => run.rssPeakBytes === 0)) place.append(emptyNote(NOTHING_TO_DRAW));
  else
    drawRuns(
      place,
      data,
      all.map((i) => curvesOf(report, i)),
      timeAxis(report, all),
    );
  const peaks = data.runs.map((run) => `${run.name}: ${bytesText(run.rssPeakBytes)} at most`).join(' · ');
  place.append(element('p', { class: 'dim' }, peaks));
  const names = data.runs.map((run, i) => `${i + 1} ${run.name}`);
  body.append(
    element('p', { class: 'dim choose' }, 'What follows is about:'),
    choice('Run', names, state.chosenRun, (index) => chooseRun(report, index)),
  );
  if (state.chosenRun > 0) drawDifference(body, data, report.decoded, state.chosenRun);
}

const NOTHING_TO_DRAW = 'There is nothing to draw: no page was ever resident.';

function drawRun(report: ReportPage): void {
  const { data, state, body } = report;
  const run = data.runs[state.chosenRun]!;
  const axis = timeAxis(report, [state.chosenRun]);
  if (data.runs.length > 1) body.append(element('h2', { class: 'run-name' }, run.name));
  body.append(verdictPanel(run.verdict, run.explanation, run.why));
  if (run.rssPeakBytes === 0) {
    panel('Resident memory over time', body, 'chart-classes').append(emptyNote(NOTHING_TO_DRAW));
  } else {
    drawMemory(report, run, axis);
  }
  drawSites(body, run);
  drawWaits(body, data, run, axis);
  drawLocks(body, run);
}

function drawMemory(report: ReportPage, run: RunData, axis: TimeAxis): void {
  const { data, state, body, decoded, redraw } = report;
  const own = decoded[state.chosenRun]!;
  const { judged } = run;
  const shares = judged?.classBytes ?? data.classes.map(({ key }) => own.columns[key].at(-1) ?? 0);
  const place = panel('Resident memory over time', body, 'chart-classes');
  const marks: Mark[] = run.series.marks.map(({ row, label }) => ({
    x: (state.byTime ? own.ns : own.event)[row]!,
    label,
  }));
  const judgedAt = judged && (state.byTime ? judged.ns : judged.event);
  if (judgedAt !== null) marks.push({ x: judgedAt, label: JUDGED_HERE, strong: true });
  const chart = drawClasses(place, data, run, curvesOf(report, state.chosenRun), axis, marks);
  place.append(
    element(
      'h3',
      {},
      judged ? `${bytesText(judged.rssBytes)} where it is judged` : `${bytesText(run.rssBytes)} at the end`,
    ),
    stackedBar(data.classes, shares, 1),
    compositionKey(data.classes, shares),
  );
  drawPlaces(body, data, run, state.chosenMoment, (index) => {
    state.chosenMoment = index;
    redraw();
  });
  drawMap(body, data, run, axis, chart, judgedAt);
}

const JUDGED_HERE = 'judged here';

function drawMap(
  body: HTMLElement,
  data: PageData,
  run: RunData,
  axis: TimeAxis,
  chart: uPlot,
  judgedAt: number | null,
): void {
  if (!run.heat) return;
  const place = panel(
    'The address space over time',
    body,
    'heat',
    `From top to bottom the memory, from left to right the same ${axis.isTime ? 'time' : 'events'} as above. Click a spot to see who holds it; drag to move; the wheel (with Ctrl), two fingers or the keys + − zoom, with Shift or Page Up and Page Down the addresses; 0 shows all.`,
  );
  const status = element('p', { class: 'status', 'aria-live': 'polite' }, `A row is ${bytesText(run.heat.rowBytes)}.`);
  drawAddressMap(place, data, run.heat, axis, {
    judgedAt,
    box: () => ({ left: chart.bbox.left / devicePixelRatio, width: chart.bbox.width / devicePixelRatio }),
    report: (...lines) => {
      status.replaceChildren(...lines.filter(Boolean).flatMap((line, i) => (i > 0 ? [element('br'), line] : [line])));
    },
  });
  const free = shade(data.classes.find((c) => c.key === 'returnable')!);
  const used = shade(data.classes[0]!);
  place.append(
    element(
      'div',
      { class: 'legend dim' },
      'free',
      element('span', { class: 'scale', style: `background:linear-gradient(90deg,${free},${used})` }),
      'requested, slack, metadata',
      element('span', {}, '· pale: partly resident · blank: not resident'),
    ),
    status,
  );
}

/** What is the same under every allocator, and the figures of all runs. */
function drawCommon({ data, state, body, decoded }: ReportPage): void {
  drawHistograms(data, body);
  const figures = panel('All figures', body, 'metrics');
  if (data.metrics.length > 0) scrollTable(figures, metricsTable(data), 'All figures');
  else figures.append(emptyNote('Every figure is 0.'));
  const run = data.runs[state.chosenRun]!;
  if (run.series.marks.length > 0) {
    const place = panel('Sample points', body, 'samples');
    scrollTable(place, marksTable(data, run, decoded[state.chosenRun]!), 'Sample points', TABLE_HEIGHT);
  }
  const facts = panel('This run', body, 'facts');
  facts.classList.add('facts');
  const rows = run.facts.map(([name, value]) => [name, value]);
  facts.append(drawTable([], rows));
  if (run.notModelled.length > 0) {
    facts.append(element('p', { class: 'dim' }, `Not modelled: ${run.notModelled.join('; ')}`));
  }
}

function onWidthChange(redraw: () => void): void {
  let width = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth === width) return; // a phone's address bar comes and goes
    width = innerWidth;
    redraw();
  });
}

function switchAxis(state: PageState, redraw: () => void): void {
  state.byTime = !state.byTime;
  press(document.getElementById('axis')!, state.byTime ? 0 : 1);
  redraw();
}

function drawHeader(data: PageData, hasTime: boolean, state: PageState, redraw: () => void): HTMLElement {
  const axis = choice('Axis', ['time', 'events'], state.byTime ? 0 : 1, (index) => {
    if (state.byTime !== (index === 0)) switchAxis(state, redraw);
  });
  axis.id = 'axis';
  axis.classList.add('switch');
  axis.prepend(element('span', { 'aria-hidden': 'true' }, 'Axis: '));
  const themeButton = element('button', { type: 'button' }, 'Dark / light');
  themeButton.addEventListener('click', toggleTheme);
  const under = data.runs.length === 1 ? ` under ${data.runs[0]!.name}` : '';
  const keys: readonly (readonly [string, string])[] = [
    ['Tab', 'to a figure'],
    ['← →', 'move'],
    ['+ −', 'zoom'],
    ['0', 'all'],
    ...(data.runs.length > 1 ? [['1 … 9', 'choose a run'] as const] : []),
    ...(hasTime ? [['t', 'time or events'] as const] : []),
    ['d', 'dark or light'],
  ];
  return element(
    'header',
    {},
    element('h1', {}, data.title, element('span', { class: 'dim' }, under)),
    element('div', { class: 'bar' }, ...(hasTime ? [axis] : []), themeButton),
    element(
      'p',
      { class: 'dim keys' },
      ...keys.flatMap(([key, does]) => [element('kbd', {}, key), ` ${does}  `]),
      ` · allocsim ${data.version}`,
    ),
  );
}

/** Memory by call site, where the trace knows the sites. */
function drawSites(into: HTMLElement, run: RunData): void {
  const place = panel('By call site', into, 'sites');
  if (run.sites === null) {
    place.append(
      emptyNote('This trace has no call sites; record it with --sites to see which line of code holds what.'),
    );
    return;
  }
  // Made by this program, and escaped there.
  place.innerHTML = run.sites;
  enlargeFlames(place);
  for (const table of place.querySelectorAll('table')) {
    const box = element('div', {});
    table.replaceWith(box);
    scrollTable(box, table, 'By call site');
  }
}

function start(): void {
  const data = readData();
  if (data.machine) drawMachinePage(data, data.machine);
  else drawPage(data);
}

start();
