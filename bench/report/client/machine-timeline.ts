type MachineData = import('../page-data.ts').MachineData;

/** A whole machine over time: what its memory is, what the kernel believes to be available, and whose it is. */
function drawMachinePage(data: PageData, machine: MachineData): void {
  const page = document.getElementById('page')!;
  const body = element('div', { id: 'body' });
  const state: PageState = { byTime: true, chosenRun: 0, chosenMoment: 0 };
  page.replaceChildren(drawHeader(data, false, state, redraw), body);
  const verdict = data.differences[0];

  function redraw(): void {
    body.replaceChildren();
    resizeCharts();
    if (verdict) body.append(verdictPanel(verdict, []));
    const view = createTimeView(machine.ns[0] ?? 0, machine.ns.at(-1) ?? 0);
    drawMachineTimeline(body, machine, view);
    for (const group of machine.groups) drawGroup(body, data, machine, group, view);
    drawProcesses(body, data, machine, view);
    for (const section of machine.sections) drawSection(body, section);
    const facts = panel('This machine', body, 'facts');
    facts.classList.add('facts');
    facts.append(
      drawTable(
        [],
        machine.facts.map(([name, value]) => [name, value]),
      ),
    );
    document.documentElement.dataset['ready'] = 'true';
  }

  document.addEventListener('keydown', (event) => {
    if (event.key === 'd' && !event.ctrlKey && !event.metaKey && !event.altKey) toggleTheme();
  });
  onThemeChange(redraw);
  onWidthChange(redraw);
  redraw();
}

function drawMachineTimeline(into: HTMLElement, machine: MachineData, view: TimeView): void {
  const place = panel(
    'Memory of the machine',
    into,
    'chart-machine',
    'Stacked: what is in use, the page cache on top. The dashed line is what would be left in use if all that is available were taken back.',
  );
  if (machine.ns.length === 0) {
    place.append(emptyNote('There is no sample of this machine.'));
    return;
  }
  const sums = stacked(machine.parts.map((part) => part.bytes));
  drawChart(place, {
    label: 'Memory of the machine over time, stacked',
    x: [...machine.ns],
    xText: axisLongText,
    xSteps: LONG_STEPS,
    yText: bytesText,
    height: 340,
    stacked: true,
    view,
    lines: [
      ...[...machine.parts.keys()].reverse().map((k) => {
        const colour = shade(machine.parts[k]!);
        return { label: machine.parts[k]!.name, values: sums[k]!, colour, fill: colour };
      }),
      {
        label: 'not available',
        values: machine.availableBytes.map((v) => machine.totalBytes - v),
        colour: styleValue('--fg'),
        dash: [5, 4],
        over: true,
      },
    ],
    marks: machine.events.map(({ ns, label }) => ({ x: ns, label })),
    ...(machine.totalBytes > 0 && {
      level: { y: machine.totalBytes, label: `${bytesText(machine.totalBytes)} in all` },
    }),
  });
  const list = element('ul', { class: 'composition' });
  for (const part of machine.parts) list.append(compositionRow(part, part.bytes.at(-1) ?? 0, 'at the end'));
  place.append(list);
}

/** A group beside its limit: memory.current may stand there by page cache alone. */
function drawGroup(
  into: HTMLElement,
  data: PageData,
  machine: MachineData,
  { name, maxBytes, currentBytes, firmBytes }: MachineData['groups'][number],
  view: TimeView,
): void {
  const place = panel(
    `cgroup ${name}`,
    into,
    `chart-group-${name}`,
    'Page cache is taken back when something else is needed; what is without it is not, while there is no swap. At samples, and at the worst moment between them: what else comes between them is in the verdict.',
  );
  drawChart(place, {
    label: `Memory of the cgroup ${name} over time`,
    x: [...machine.ns],
    xText: axisLongText,
    xSteps: LONG_STEPS,
    yText: bytesText,
    view,
    lines: [
      { label: 'memory.current', values: [...currentBytes], colour: runColour(data, 0), ...runDash(data, 0) },
      { label: 'without page cache', values: [...firmBytes], colour: runColour(data, 1), ...runDash(data, 1) },
    ],
    level: { y: maxBytes, label: `memory.max ${bytesText(maxBytes)}` },
  });
}

function drawProcesses(into: HTMLElement, data: PageData, machine: MachineData, view: TimeView): void {
  if (machine.processes.length === 0) return;
  const place = panel(
    'Resident memory of processes',
    into,
    'chart-processes',
    `Shared pages count for each that maps them.${machine.processCount > machine.processes.length ? ` The ${machine.processes.length} largest of ${countText(machine.processCount)}.` : ''}`,
  );
  drawChart(place, {
    label: 'Resident memory of the largest processes',
    x: [...machine.ns],
    xText: axisLongText,
    xSteps: LONG_STEPS,
    yText: bytesText,
    view,
    lines: machine.processes.map((process, i) => ({
      label: process.name,
      values: [...process.bytes],
      colour: runColour(data, i),
      ...runDash(data, i),
    })),
  });
}

/** What the text of the run says too: its sentences as a list, its tables as tables. */
function drawSection(into: HTMLElement, { title, parts }: MachineData['sections'][number]): void {
  const place = panel(title, into);
  place.classList.add('section');
  for (const part of parts) {
    if (typeof part === 'string') place.append(element('p', {}, part));
    else
      scrollTable(
        place,
        drawTable(
          part.head,
          part.rows.map((row) =>
            row.map((text, i) => ({
              text,
              className: i > 0 && (part.align[i] ?? part.align.at(-1)) === 'l' ? 'words' : '',
            })),
          ),
        ),
        title,
      );
  }
}

/** Ticks lie at whole seconds, minutes and hours. */
const LONG_STEPS = [
  ...WHOLE_STEPS.filter((ns) => ns < 1e9),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800].map((s) => s * 1e9),
  ...[1, 2, 3, 6, 12, 24, 48, 120, 240].map((h) => h * 3.6e12),
];

/** Of runs of hours: `36 h`. */
function axisLongText(ns: number): string {
  const hours = ns / 3.6e12;
  if (hours >= 1) return `${Number(hours.toFixed(2))} h`;
  const minutes = ns / 6e10;
  return minutes >= 2 ? `${Number(minutes.toFixed(1))} min` : axisNsText(ns);
}
