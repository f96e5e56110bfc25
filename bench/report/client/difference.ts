/** What makes two runs differ, class by class, at one moment of each. */
function drawDifference(into: HTMLElement, data: PageData, all: readonly Curves[], other: number): void {
  const [a, b] = [all[0]!, all[other]!];
  const place = panel(
    `What differs: ${data.runs[other]!.name} against ${data.runs[0]!.name}`,
    into,
    'difference',
    `To the right: more under ${data.runs[other]!.name}; to the left: less.`,
  );
  const last = (c: Curves) => c.columns.rssBytes.length - 1;
  const highest = (c: Curves) => c.columns.rssBytes.reduce((best, v, i, values) => (v > values[best]! ? i : best), 0);
  const isPeak = (run: number, c: Curves) => c.columns.rssBytes[highest(c)] === data.runs[run]!.rssPeakBytes;
  for (const [title, rowOf] of [
    [data.runs[other]!.judged ? 'Where it is judged' : 'At the end', last],
    [isPeak(0, a) && isPeak(other, b) ? 'At the peak of each' : 'At the highest sample of each', highest],
  ] as const) {
    place.append(element('h3', {}, title));
    const [eventA, eventB] = [a.event[rowOf(a)]!, b.event[rowOf(b)]!];
    if (eventA !== eventB) place.append(element('p', { class: 'dim' }, apartText(data, other, eventA, eventB)));
    scrollTable(place, differenceTable(data, other, a, rowOf(a), b, rowOf(b)), title);
  }
}

/** Of two moments that are not the same one. */
function apartText(data: PageData, other: number, eventA: number, eventB: number): string {
  const [a, b] = [data.runs[0]!.name, data.runs[other]!.name];
  return `${a} after ${countText(eventA)} events, ${b} after ${countText(eventB)}: the program does not hold the same blocks there.`;
}

function differenceTable(
  data: PageData,
  other: number,
  a: Curves,
  rowA: number,
  b: Curves,
  rowB: number,
): HTMLTableElement {
  const rows = [
    ...data.classes.map((c) => ({
      name: c.name,
      colour: shade(c),
      from: a.columns[c.key][rowA] ?? 0,
      to: b.columns[c.key][rowB] ?? 0,
    })),
    {
      name: 'Resident, all',
      colour: styleValue('--fg'),
      from: a.columns.rssBytes[rowA] ?? 0,
      to: b.columns.rssBytes[rowB] ?? 0,
    },
  ];
  const most = Math.max(1, ...rows.map((r) => Math.abs(r.to - r.from)));
  return drawTable(
    ['', 'difference', '', data.runs[0]!.name, data.runs[other]!.name],
    rows.map((r) => [
      { text: element('span', {}, swatch(r.colour), ` ${r.name}`) },
      signedBytesText(r.to - r.from),
      { text: differenceBar((r.to - r.from) / most, r.colour), className: 'wide' },
      bytesText(r.from),
      bytesText(r.to),
    ]),
  );
}

function differenceBar(share: number, colour: string): HTMLElement {
  const width = Math.abs(share) * 50;
  const left = share < 0 ? 50 - width : 50;
  return element(
    'span',
    { class: 'difference-bar', 'aria-hidden': 'true' },
    element('span', { style: `left:${left}%;width:${width}%;background:${colour}` }),
  );
}
