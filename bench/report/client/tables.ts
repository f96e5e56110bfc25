type LockRow = import('../page-data.ts').LockRow;

interface Cell {
  readonly text: string | Node;
  readonly className?: string;
}

function drawTable(head: readonly string[], body: readonly (readonly (Cell | string)[])[]): HTMLTableElement {
  const cell = (c: Cell | string) => {
    const { text, className = '' } = typeof c === 'string' ? { text: c } : c;
    return element('td', className ? { class: className } : {}, text);
  };
  return element(
    'table',
    {},
    element('thead', {}, element('tr', {}, ...head.map((h) => element('th', { scope: 'col' }, h)))),
    element('tbody', {}, ...body.map((row) => element('tr', {}, ...row.map(cell)))),
  );
}

function metricsTable(data: PageData): HTMLTableElement {
  return drawTable(
    ['', ...data.runs.map((run) => run.name)],
    data.metrics.map((row) => [
      { text: element('span', { title: row.about }, row.name) },
      ...row.cells.map((c) => ({ text: c.text, className: data.runs.length > 1 ? (c.mark ?? '') : '' })),
    ]),
  );
}

function locksTable(locks: readonly LockRow[]): HTMLTableElement {
  const most = Math.max(1, ...locks.map((l) => l.waitNs));
  return drawTable(
    ['lock', 'acquired', 'contended', 'waited', '', 'p99', 'longest', 'held'],
    locks.map((l) => [
      l.name,
      countText(l.acquisitions),
      `${countText(l.contended)} (${((l.contended / l.acquisitions) * 100).toFixed(1)} %)`,
      nsText(l.waitNs),
      { text: element('span', { class: 'meter', style: `width:${Math.round((l.waitNs / most) * 120)}px` }) },
      nsText(l.p99Ns),
      nsText(l.maxNs),
      nsText(l.holdNs),
    ]),
  );
}

function marksTable(run: RunData, curves: Curves): HTMLTableElement {
  const { columns } = curves;
  return drawTable(
    ['sample', 'event', 'resident', 'requested', 'slack', 'metadata', 'cached', 'pinned', 'returnable', 'mapped'],
    run.series.marks.map(({ row, label }) => [
      label,
      countText(curves.event[row]!),
      ...(
        ['rssBytes', 'requestedBytes', 'slack', 'metadata', 'cached', 'pinned', 'returnable', 'vszBytes'] as const
      ).map((name) => bytesText(columns[name][row]!)),
    ]),
  );
}
