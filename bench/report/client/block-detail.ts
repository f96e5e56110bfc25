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

/** What a moment's clicks are answered from. */
interface MomentDetail {
  readonly blocks: Blocks;
  readonly around: Surroundings;
}

const decodeMoment = (moment: MomentData): MomentDetail => ({
  blocks: decodeBlocks(moment),
  around: decodeSurroundings(moment),
});

/** A square whose pages lie apart from each other. */
const isSpread = (cells: PlaceData['cells'], run: number, cellBytes: number): boolean =>
  cells.span[run]! * PAGE_BYTES > cellBytes;

/** Who holds a square of the address space, and what that keeps. */
function drawCellDetail(
  into: HTMLElement,
  data: PageData,
  moment: MomentData,
  { blocks, around }: MomentDetail,
  place: PlaceData,
  cell: Cell,
): void {
  const { cells } = place;
  const { run } = cell;
  const { cellBytes } = moment;
  const start = cell.page * PAGE_BYTES;
  const end = start + cells.span[run]! * PAGE_BYTES;
  const parts = data.classes
    .map((c, k) => ({ c, value: cells.bytes[k]![run]! }))
    .filter(({ value }) => value > 0)
    .sort((x, y) => y.value - x.value);
  const area = areaOn(around, start, end);
  const whose = isSpread(cells, run, cellBytes) ? '' : whoseText(around, start, end);
  const bytes = parts.reduce((sum, { value }) => sum + value, 0);
  const what = cellBytes === PAGE_BYTES ? 'Page' : bytesText(bytes);
  // How wide its table is, is known where it stands.
  const detail = element('div', { class: 'detail' });
  into.replaceChildren(detail);
  detail.append(
    element(
      'p',
      {},
      element('strong', {}, `${what} at ${addressText(data, start)}`),
      `, ${areaText(around, area, place.name)}, ${moment.label}`,
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
    const has = (key: SeriesName) => parts.some(({ c }) => c.key === key);
    detail.append(...[whose, whyText(data, around, blocks, area, start, has)].filter(Boolean).map(sentence));
    return;
  }
  if (isSpread(cells, run, cellBytes)) {
    const text = `These ${countText(bytes / PAGE_BYTES)} pages lie apart from each other, within ${bytesText(end - start)}: their blocks are not listed one by one.`;
    detail.append(emptyNote(text));
    return;
  }
  const many = Math.max(live, listed.length);
  const free = parts.filter(({ c }) => c.key === 'pinned').reduce((sum, { value }) => sum + value, 0);
  detail.append(
    element(
      'p',
      {},
      `${many === 1 ? 'One block holds it' : `${countText(many)} blocks hold it`}` +
        (free > 0 ? ` and ${many === 1 ? 'keeps' : 'keep'} ${bytesText(free)} of free memory from going back:` : ':'),
    ),
  );
  if (free > 0 && whose !== '') detail.append(element('p', {}, `Of what is free: ${whose}`));
  if (listed.length > 0) drawBlocks(detail, data, blocks, listed.slice(0, SHOWN_BLOCKS));
  const areAll = blocks.leftOut === 0 || (cellBytes === PAGE_BYTES && listed.length === live);
  const together = areAll ? togetherText(blocks.data, listed) : '';
  if (together !== '') detail.append(element('p', {}, together));
  if (listed.length > SHOWN_BLOCKS) detail.append(emptyNote(`and ${countText(listed.length - SHOWN_BLOCKS)} more`));
  else if (listed.length < live) {
    detail.append(
      emptyNote(`${countText(live - listed.length)} of them are not listed in this page: there are too many blocks.`),
    );
  }
}

function blocksOn({ address, data }: Blocks, first: number, start: number, end: number): number[] {
  const on: number[] = [];
  if (first < 0) return on;
  for (let i = first; i < address.length && address[i]! < end; i++) {
    if (address[i]! + Math.max(1, data.usableBytes[i]!) > start) on.push(i);
  }
  return on;
}

function drawBlocks(into: HTMLElement, page: PageData, { address, data }: Blocks, indices: readonly number[]): void {
  const hasSites = data.site.length > 0;
  const isKnown = data.event.length > 0;
  const hasBeside = indices.some((i) => data.freeBelowBytes[i]! + data.freeAboveBytes[i]! > 0);
  const rows = indices.map((i) => [
    addressText(page, address[i]!),
    ...(hasSites ? [{ text: siteText(data, i), className: 'words' }] : []),
    bytesText(data.requestedBytes[i]!),
    bytesText(data.usableBytes[i]!),
    data.pinsBytes[i]! > 0 ? bytesText(data.pinsBytes[i]!) : '–',
    ...(hasBeside ? [`${bytesText(data.freeBelowBytes[i]!)} below, ${bytesText(data.freeAboveBytes[i]!)} above`] : []),
    ...(isKnown ? [sinceText(data, i), threadText(data.thread[i]!)] : []),
  ]);
  const head = [
    'block at',
    ...(hasSites ? ['call site'] : []),
    'asked for',
    'usable',
    'free memory that it alone keeps',
    ...(hasBeside ? ['free beside it'] : []),
    ...(isKnown ? ['since event', 'allocated by'] : []),
  ];
  scrollTable(into, drawTable(head, rows), 'Blocks');
  const ends = indices.map((i) => endText(data, i, addressText(page, address[i]!))).filter((text) => text !== '');
  into.append(...ends.map((text) => element('p', {}, text)));
  if (!isKnown) into.append(emptyNote('Real threads do not tell which event allocated a block: --mode virtual does.'));
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
function endText(data: MomentData['blocks'], i: number, at: string): string {
  const name = data.areaNames[data.area[i]!]!;
  const free = data.freeBelowBytes[i]! + data.freeAboveBytes[i]!;
  const freed = bytesText(free + data.usableBytes[i]!);
  if (data.rank[i] === ONLY_OF_AREA) {
    return `${name}: nothing else lives in it. Without the block at ${at} all of it could go, ${freed} that are free then.`;
  }
  if (data.rank[i] !== LAST_OF_AREA) return '';
  return `${name}: nothing lives above the block at ${at}. Without it ${freed} at the end would be free in one piece.`;
}

/** The same of several neighbours, the last of which is the last of its area. */
function togetherText(data: MomentData['blocks'], indices: readonly number[]): string {
  const last = indices.at(-1);
  if (last === undefined || indices.length < 2 || data.rank[last] !== LAST_OF_AREA) return '';
  const free = indices.reduce(
    (sum, i) => sum + data.freeBelowBytes[i]! + data.usableBytes[i]!,
    data.freeAboveBytes[last]!,
  );
  return `Without all ${countText(indices.length)} of them it would be ${bytesText(free)}.`;
}

/** As a real process would show it. */
function addressText(data: PageData, address: number): string {
  const { upperFrom, lowerShift, upperShift } = data.addresses;
  return `0x${(address + (address >= upperFrom ? upperShift : lowerShift)).toString(16)}`;
}
