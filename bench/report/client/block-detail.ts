/** Columns of a moment's blocks with the addresses summed up again. */
interface Blocks {
  readonly address: readonly number[];
  readonly data: MomentData['blocks'];
  readonly leftOut: number;
}

function decodeBlocks(moment: MomentData): Blocks {
  return { address: summed(moment.blocks.address), data: moment.blocks, leftOut: moment.blocksLeftOut };
}

const SHOWN_BLOCKS = 12;

/** Who holds a square of the address space, and what that keeps. */
function cellDetail(data: PageData, moment: MomentData, blocks: Blocks, place: PlaceData, cell: Cell): HTMLElement {
  const { cells } = place;
  const { run } = cell;
  const { cellBytes } = moment;
  const start = cell.page * PAGE_BYTES;
  const end = start + cells.span[run]! * PAGE_BYTES;
  const parts = data.classes
    .map((c, k) => ({ c, value: cells.bytes[k]![run]! }))
    .filter(({ value }) => value > 0)
    .sort((x, y) => y.value - x.value);
  const bytes = parts.reduce((sum, { value }) => sum + value, 0);
  const isSpread = end - start > cellBytes;
  const what = cellBytes === PAGE_BYTES ? 'Page' : bytesText(bytes);
  const detail = element(
    'div',
    { class: 'detail' },
    element(
      'p',
      {},
      element('strong', {}, `${what} at ${addressText(data, start)}`),
      `, ${place.name}, ${moment.label}`,
    ),
    element(
      'p',
      {},
      ...parts.flatMap(({ c, value }, i) => [
        i > 0 ? ' · ' : '',
        swatch(shade(c)),
        ` ${bytesText(value)} ${c.name.toLowerCase()}`,
      ]),
    ),
  );
  const listed = blocksOn(blocks, cells.block[run]!, start, end);
  const live = cells.live[run]!;
  if (live === 0) {
    const kept = parts.some(({ c }) => c.key === 'metadata' || c.key === 'cached');
    detail.append(
      element(
        'p',
        {},
        kept
          ? 'No block of the program lies here: the allocator itself keeps it.'
          : 'Nothing lies here: it could be given back.',
      ),
    );
    return detail;
  }
  if (isSpread) {
    const text = `These ${countText(bytes / PAGE_BYTES)} pages lie apart from each other, within ${bytesText(end - start)}: their blocks are not listed one by one.`;
    detail.append(emptyNote(text));
    return detail;
  }
  const free = parts.filter(({ c }) => c.key === 'pinned').reduce((sum, { value }) => sum + value, 0);
  detail.append(
    element(
      'p',
      {},
      `${live === 1 ? 'One block holds it' : `${countText(Math.max(live, listed.length))} blocks hold it`}` +
        (free > 0 ? ` and ${live === 1 ? 'keeps' : 'keep'} ${bytesText(free)} of free memory from going back:` : ':'),
    ),
  );
  if (listed.length > 0) detail.append(blocksTable(data, blocks, listed.slice(0, SHOWN_BLOCKS)));
  if (listed.length > SHOWN_BLOCKS) detail.append(emptyNote(`and ${countText(listed.length - SHOWN_BLOCKS)} more`));
  else if (listed.length < live) {
    detail.append(
      emptyNote(`${countText(live - listed.length)} of them are not listed in this page: there are too many blocks.`),
    );
  }
  return detail;
}

function blocksOn({ address, data }: Blocks, first: number, start: number, end: number): number[] {
  const on: number[] = [];
  if (first < 0) return on;
  for (let i = first; i < address.length && address[i]! < end; i++) {
    if (address[i]! + Math.max(1, data.usableBytes[i]!) > start) on.push(i);
  }
  return on;
}

function blocksTable(page: PageData, { address, data }: Blocks, indices: readonly number[]): HTMLElement {
  const hasEvents = indices.some((i) => data.event[i]! >= 0);
  const hasSites = data.site.length > 0;
  const rows = indices.map((i) => [
    addressText(page, address[i]!),
    bytesText(data.requestedBytes[i]!),
    bytesText(data.usableBytes[i]!),
    data.pinsBytes[i]! > 0 ? bytesText(data.pinsBytes[i]!) : '–',
    ...(hasEvents ? [countText(data.event[i]!), `thread ${data.thread[i]}`] : []),
    ...(hasSites ? [data.siteNames[data.site[i]!]!] : []),
  ]);
  const head = [
    'block at',
    'asked for',
    'usable',
    'free memory that it alone keeps',
    ...(hasEvents ? ['allocated at event', 'by'] : []),
    ...(hasSites ? ['call site'] : []),
  ];
  const table = element('div', { class: 'scroll-x' }, drawTable(head, rows));
  if (!hasEvents) table.append(emptyNote('Which event allocated it is known with --mode lockstep.'));
  return table;
}

/** As a real process would show it. */
function addressText(data: PageData, address: number): string {
  const { upperFrom, lowerShift, upperShift } = data.addresses;
  return `0x${(address + (address >= upperFrom ? upperShift : lowerShift)).toString(16)}`;
}
