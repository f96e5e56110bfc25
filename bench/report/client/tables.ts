type LockRow = import('../page-data.ts').LockRow;

interface TableCell {
  readonly text: string | Node;
  readonly className?: string;
}

function drawTable(head: readonly string[], body: readonly (readonly (TableCell | string)[])[]): HTMLTableElement {
  const cell = (c: TableCell | string) => {
    const { text, className = '' } = typeof c === 'string' ? { text: c } : c;
    return element('td', className ? { class: className } : {}, text);
  };
  return element(
    'table',
    {},
    ...(head.length > 0 ? [element('thead', {}, element('tr', {}, ...head.map(headCell)))] : []),
    element('tbody', {}, ...body.map((row) => element('tr', {}, ...row.map(cell)))),
  );
}

/** Characters from which a name would make its column far wider than its figures. */
const LONG_HEAD = 16;

/** Names of allocators go on several lines, at their options where there is room for one. */
function headCell(name: string): HTMLElement {
  if (name.length < LONG_HEAD) return element('th', { scope: 'col' }, name);
  const parts = name.split(/(?<=[:,=])/).flatMap((part, i) => (i > 0 ? [element('wbr', {}), part] : [part]));
  return element('th', { scope: 'col', class: 'long' }, ...parts);
}

function metricsTable(data: PageData): HTMLTableElement {
  return drawTable(
    ['', ...data.runs.map((run) => run.name)],
    data.metrics.map((row) => [
      { text: element('span', { title: `${row.about} (${row.name})` }, row.title) },
      ...row.cells.map((c) => ({ text: c.text, className: data.runs.length > 1 ? (c.mark ?? '') : '' })),
    ]),
  );
}

function drawLocks(into: HTMLElement, run: RunData): void {
  const place = panel('Locks', into, 'locks', 'Who waits for whom: the lock that cost most waiting first.');
  if (run.locks.length === 0) {
    place.append(
      emptyNote(
        run.explanation.some((text) => text.includes('waits for locks'))
          ? 'This page is of file order, in which nobody waits. The waits that the verdict names are those of runs in virtual time.'
          : run.mode === 'lockstep'
            ? 'In lockstep one event runs after the other: whether threads would wait for each other is not known. --mode virtual computes it.'
            : 'No lock was taken.',
      ),
    );
    return;
  }
  const most = Math.max(1, ...run.locks.map((l) => l.waitNs));
  scrollTable(
    place,
    drawTable(
      ['lock', 'taken', 'found taken', 'waited, all threads', '', '99th percentile', 'longest', 'held'],
      run.locks.map((l) => [
        l.name,
        countText(l.acquisitions),
        `${countText(l.contended)} (${percentText(l.contended / l.acquisitions)})`,
        nsText(l.waitNs),
        { text: element('span', { class: 'meter', style: `width:${Math.round((l.waitNs / most) * 120)}px` }) },
        nsText(l.p99Ns),
        nsText(l.maxNs),
        nsText(l.holdNs),
      ]),
    ),
    'Locks',
    TABLE_HEIGHT,
  );
  if (run.locks.every((l) => l.waitNs === 0)) place.append(emptyNote('Nobody waited for any of them.'));
}

function marksTable(data: PageData, run: RunData, curves: Curves): HTMLTableElement {
  const { columns } = curves;
  return drawTable(
    ['sample', 'event', 'resident', 'asked for', ...data.classes.slice(1).map((c) => c.name.toLowerCase()), 'mapped'],
    run.series.marks.map(({ row, label }) => [
      label,
      countText(curves.event[row]!),
      ...(['rssBytes', 'requestedBytes', ...data.classes.slice(1).map((c) => c.key), 'vszBytes'] as const).map((name) =>
        bytesText(columns[name][row]!),
      ),
    ]),
  );
}
