const CLASSES = ['requested', 'slack', 'metadata', 'cached', 'pinned', 'returnable'] as const;

/** The page: what concerns all runs first, then the run that is chosen. */
function drawPage(): void {
  const data = readData();
  const decoded = data.runs.map(decodeCurves);
  const byEvent = decoded.map((c) => orderedBy(c, 'event'));
  const byNs = decoded.map((c) => orderedBy(c, 'ns'));
  const page = document.getElementById('page')!;
  page.replaceChildren();
  const hasTime = byNs.some((c) => c.ns.at(-1)! > 0);
  let byTime = hasTime && data.runs.some((r) => r.waits !== null);
  let chosen = 0;

  const axisButton = element('button', { type: 'button', 'aria-pressed': String(byTime) }, 'time axis');
  const themeButton = element('button', { type: 'button' }, 'dark / light');
  page.append(
    element(
      'header',
      {},
      element('h1', {}, data.title),
      element('div', { class: 'bar' }, ...(hasTime ? [axisButton] : []), themeButton),
    ),
    element(
      'p',
      { class: 'dim' },
      `allocsim ${data.version}. Keys: `,
      ...['Tab', '← →', '+ −', '0', '1…9', 't', 'd'].flatMap((key, i) => [
        element('kbd', {}, key),
        ` ${['to a figure', 'move', 'zoom', 'all', 'choose a run', 'events or time', 'dark or light'][i]}  `,
      ]),
    ),
  );
  const overview = element('section', { id: 'overview' });
  const choice = element('div', { class: 'bar', role: 'group', 'aria-label': 'Run' });
  const detail = element('section', { id: 'detail' });
  const verdict = element('section');
  page.append(verdict, overview, choice, detail);

  const curvesOf = (index: number) => (byTime ? byNs : byEvent)[index]!;
  const xOf = (c: Curves) => (byTime ? c.ns : c.event);
  const xText = (value: number) => (byTime ? nsText(value) : countText(value));

  function panel(title: string, into: HTMLElement, id = ''): HTMLElement {
    const place = element('div', { class: 'panel', ...(id && { id }) });
    into.append(element('h2', {}, title), place);
    return place;
  }

  function drawOverview(): void {
    overview.replaceChildren();
    const [place, many] = [
      panel(
        data.runs.length > 1 ? 'Resident and requested, all runs' : 'Resident and requested',
        overview,
        'chart-rss',
      ),
      data.runs.length > 1,
    ];
    // Runs were sampled at different points: one common axis, with gaps.
    const tables = data.runs
      .map((_, i) => curvesOf(i))
      .map((c) => [xOf(c), c.columns.rssBytes, c.columns.requestedBytes, c.columns.vszBytes] as uPlot.AlignedData);
    const joined = tables.length > 1 ? uPlot.join(tables.map(uniqueX)) : uniqueX(tables[0]!);
    const lines = data.runs.flatMap((run, i): Line[] => {
      const colour = runColour(i);
      const column = (k: number) => joined[1 + i * 3 + k] as (number | null)[];
      const rss = { label: many ? run.name : 'resident', values: column(0), colour };
      const requested = {
        label: many ? `requested (${run.name})` : 'requested',
        values: column(1),
        colour: many ? colour : '#d55e00',
        dash: [5, 4],
      };
      return many && i > 0 && run.name !== '' ? [rss] : [rss, requested];
    });
    drawChart(place, {
      label: 'Resident and requested bytes',
      x: joined[0] as number[],
      xText,
      yText: bytesText,
      lines,
      marks: marksOf(0),
    });
    const peaks = data.runs.map((run) => `${many ? `${run.name}: ` : ''}${bytesText(run.rssPeakBytes)}`).join(' · ');
    place.append(element('p', { class: 'dim' }, `Peak resident: ${peaks}`));
    const figures = panel('Figures', overview, 'metrics');
    figures.append(metricsTable(data));
    if (data.histograms) drawHistograms(data.histograms, overview);
  }

  /** uPlot joins on distinct x: the last row of several at one point stays. */
  function uniqueX(table: uPlot.AlignedData): uPlot.AlignedData {
    const xs = table[0];
    const keep = Array.from(xs, (_, i) => i).filter((i) => i === xs.length - 1 || xs[i] !== xs[i + 1]);
    return table.map((column) => keep.map((i) => column[i]!)) as unknown as uPlot.AlignedData;
  }

  const marksOf = (index: number) =>
    data.runs[index]!.series.marks.map(({ row, label }) => ({ x: xOf(decoded[index]!)[row]!, label }));

  function drawDetail(): void {
    detail.replaceChildren();
    choice.replaceChildren();
    if (data.runs.length > 1) {
      data.runs.forEach((run, i) => {
        const button = element(
          'button',
          { type: 'button', 'aria-pressed': String(i === chosen) },
          `${i + 1} ${run.name}`,
        );
        button.addEventListener('click', () => choose(i));
        choice.append(button);
      });
    }
    const run = data.runs[chosen]!;
    const c = curvesOf(chosen);
    verdict.replaceChildren();
    if (run.verdict.length > 0) {
      const place = panel('Where the memory is and why it stays', verdict, 'verdict');
      place.classList.add('verdict');
      place.append(...run.verdict.map((line, i) => element('p', {}, i === 0 ? element('strong', {}, line) : line)));
    }
    const facts = panel('This run', detail, 'facts');
    facts.classList.add('facts');
    facts.append(
      drawTable(
        [],
        run.facts.map(([name, value]) => [name, value]),
      ),
    );
    if (run.notModelled.length > 0) {
      facts.append(element('p', { class: 'dim' }, `Not modelled: ${run.notModelled.join('; ')}`));
    }
    drawBreakdown(run, c);
    if (run.heat) {
      const place = panel('Address space over time', detail, 'heat');
      const status = element('p', { class: 'dim', 'aria-live': 'polite' }, 'Point at a place to read it.');
      drawHeatMap(place, run.heat, (text) => (status.textContent = text));
      const gradient = [0, 5, 10, 15]
        .map(
          (o) =>
            `rgb(${heatColour(0xf0 | o)
              .slice(0, 3)
              .join(',')})`,
        )
        .join(',');
      place.append(
        element(
          'div',
          { class: 'legend dim' },
          'all free',
          element('span', { class: 'scale', style: `background:linear-gradient(90deg,${gradient})` }),
          'all live',
          element('span', {}, '· pale: partly resident · blank: not resident'),
        ),
        status,
      );
    }
    drawWaits(run);
    if (run.locks.length > 0) {
      const place = panel('Locks', detail, 'locks');
      place.classList.add('scroll');
      place.append(locksTable(run.locks));
    }
    if (run.series.marks.length > 0) {
      const place = panel('Samples', detail, 'samples');
      place.classList.add('scroll');
      place.append(marksTable(run, decoded[chosen]!));
    }
  }

  function drawBreakdown(run: RunData, c: Curves): void {
    const place = panel('Where the resident bytes are', detail, 'chart-breakdown');
    const x = xOf(c);
    const sums: number[][] = [];
    let below: number[] = x.map(() => 0);
    for (const name of CLASSES) {
      below = below.map((sum, i) => sum + c.columns[name][i]!);
      sums.push(below);
    }
    // The highest sum first: each lower one is painted over it.
    drawChart(place, {
      label: 'Breakdown of the resident bytes, stacked',
      x,
      xText,
      yText: bytesText,
      stacked: true,
      lines: [...CLASSES.keys()].reverse().map((k) => {
        const colour = CLASS_COLOURS[CLASSES[k]!]!;
        return { label: CLASSES[k]!, values: sums[k]!, colour, fill: colour };
      }),
      marks: marksOf(chosen),
    });
    if (run.series.count < run.series.sampleCount) {
      place.append(
        element(
          'p',
          { class: 'dim' },
          `${countText(run.series.count)} of ${countText(run.series.sampleCount)} samples are drawn: every stretch keeps its least and its greatest.`,
        ),
      );
    }
  }

  function drawWaits(run: RunData): void {
    if (!run.waits) return;
    const { widthNs, causes } = run.waits;
    const x = causes[0]!.ns.map((_, i) => i * widthNs);
    if (x.length < 2) return;
    const place = panel('Threads that wait, over time', detail, 'chart-waits');
    const sums: number[][] = [];
    let below: number[] = x.map(() => 0);
    for (const cause of causes) {
      below = below.map((sum, i) => sum + cause.ns[i]! / widthNs);
      sums.push(below);
    }
    drawChart(place, {
      label: 'Threads that wait, by cause, stacked',
      x,
      xText: nsText,
      yText: (v) => v.toFixed(v < 10 && v !== Math.round(v) ? 2 : 0),
      height: 220,
      stacked: true,
      lines: [...causes.keys()].reverse().map((k) => {
        const colour = runColour(k);
        return { label: causes[k]!.name, values: sums[k]!, colour, fill: colour };
      }),
    });
  }

  function drawHistograms(h: NonNullable<PageData['histograms']>, into: HTMLElement): void {
    const two = element('div', { class: 'two' });
    into.append(two);
    const bars = (title: string, id: string, values: readonly number[], unit: (v: number) => string, y = countText) => {
      if (values.length === 0) return;
      const column = element('div');
      two.append(column);
      drawChart(panel(title, column, id), {
        label: title,
        x: values.map((_, i) => i),
        xText: (v) => (Number.isInteger(v) ? unit(v === 0 ? 0 : 2 ** v) : ''),
        yText: y,
        height: 200,
        lines: [{ label: 'bar', values: [...values], colour: '#0072b2', fill: '#0072b2aa', bars: true }],
      });
    };
    bars('Allocations by size', 'chart-sizes', h.sizes, bytesText);
    bars('Bytes asked for, by size', 'chart-size-bytes', h.sizeBytes, bytesText, bytesText);
    bars('Blocks by lifetime, events', 'chart-lifetimes', h.lifetimeEvents, countText);
    bars('Blocks by lifetime, time', 'chart-lifetimes-ns', h.lifetimeNs, nsText);
  }

  function choose(index: number): void {
    if (index >= data.runs.length) return;
    chosen = index;
    drawDetail();
  }

  function switchAxis(): void {
    if (!hasTime) return;
    byTime = !byTime;
    axisButton.setAttribute('aria-pressed', String(byTime));
    drawOverview();
    drawDetail();
  }

  axisButton.addEventListener('click', switchAxis);
  themeButton.addEventListener('click', toggleTheme);
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[1-9]$/.test(event.key)) choose(Number(event.key) - 1);
    else if (event.key === 't') switchAxis();
    else if (event.key === 'd') toggleTheme();
  });
  onThemeChange(redrawCharts);
  addEventListener('resize', resizeCharts);
  drawOverview();
  drawDetail();
  document.documentElement.dataset['ready'] = 'true';
}

drawPage();
