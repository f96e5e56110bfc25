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
  const hasSites = data.site.length > 0;
  const isKnown = data.event.length > 0;
  const hasBeside = indices.some((i) => data.freeBelowBytes[i]! + data.freeAboveBytes[i]! > 0);
  const rows = indices.map((i) => [
    addressText(page, address[i]!),
    bytesText(data.requestedBytes[i]!),
    bytesText(data.usableBytes[i]!),
    data.pinsBytes[i]! > 0 ? bytesText(data.pinsBytes[i]!) : '–',
    ...(hasBeside ? [`${bytesText(data.freeBelowBytes[i]!)} below, ${bytesText(data.freeAboveBytes[i]!)} above`] : []),
    ...(isKnown ? [sinceText(data, i), threadText(data.thread[i]!)] : []),
    ...(hasSites ? [{ text: siteText(data, i), className: 'words' }] : []),
  ]);
  const head = [
    'block at',
    'asked for',
    'usable',
    'free memory that it alone keeps',
    ...(hasBeside ? ['free beside it'] : []),
    ...(isKnown ? ['since event', 'allocated by'] : []),
    ...(hasSites ? ['call site'] : []),
  ];
  const table = element('div', { class: 'scroll-x' }, drawTable(head, rows));
  const ends = indices.map((i) => endText(data, i)).filter((text) => text !== '');
  for (const text of ends.slice(0, 3)) table.append(element('p', {}, text));
  if (!isKnown) table.append(emptyNote('Real threads do not tell which event allocated a block: --mode virtual does.'));
  return table;
}

type BlockNames = import('../page-data.ts').BlockNames;

/** `145,003 (12.3 ms)`. */
function sinceText({ event, ns }: BlockNames, i: number): string {
  const at = event[i] ?? -1;
  if (at < 0) return '–';
  return countText(at) + ((ns[i] ?? -1) >= 0 ? ` (${nsText(ns[i]!)})` : '');
}

const threadText = (thread: number): string => (thread < 0 ? '–' : `thread ${thread}`);

const siteText = ({ site, siteNames }: BlockNames, i: number): string => siteNames[site[i] ?? -1] ?? '';

const LAST_OF_AREA = 1;
const ONLY_OF_AREA = 2;

/** What of its heap, slab or extent this block alone keeps from ending. */
function endText(data: MomentData['blocks'], i: number): string {
  const name = data.areaNames[data.area[i]!];
  const free = data.freeBelowBytes[i]! + data.freeAboveBytes[i]!;
  if (data.rank[i] === ONLY_OF_AREA) {
    return `It is the only live block of ${name}${free > 0 ? `: without it that could go as a whole, with ${bytesText(free)} of free memory` : ''}.`;
  }
  if (data.rank[i] !== LAST_OF_AREA) return '';
  return `No live block of ${name} lies above it: without it ${bytesText(free + data.usableBytes[i]!)} at the end of that would be free in one piece.`;
}

/** As a real process would show it. */
function addressText(data: PageData, address: number): string {
  const { upperFrom, lowerShift, upperShift } = data.addresses;
  return `0x${(address + (address >= upperFrom ? upperShift : lowerShift)).toString(16)}`;
}
