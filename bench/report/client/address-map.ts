type HeatMapData = import('../page-data.ts').HeatMap;

/** From all free (the colour of free memory) to all in use; how much is resident is the opacity. */
function mapColour(value: number, free: readonly number[], used: readonly number[]): [number, number, number, number] {
  const residency = value >> 4;
  if (residency === 0) return [0, 0, 0, 0];
  const share = (value & 15) / 15;
  const mix = (i: number) => Math.round(free[i]! + (used[i]! - free[i]!) * share);
  return [mix(0), mix(1), mix(2), 90 + Math.round((165 * residency) / 15)];
}

const channels = (hex: string): number[] => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));

interface MapPlace {
  /** Edges of the plot within the panel, as those of the charts above. */
  readonly box: () => { readonly left: number; readonly width: number };
  readonly report: (...lines: readonly string[]) => void;
  /** Of the verdict, on the map's axis; null where it is about the end. */
  readonly judgedAt: number | null;
}

const AXIS_HEIGHT = 22;
/** So few rows need not fill the whole height. */
const FEW_ROWS = 30;
const FEW_ROW_HEIGHT = 14;
/** Rows that are still told apart at the closest. */
const ROWS_CLOSEST = 8;

interface AddressMap {
  readonly canvas: HTMLCanvasElement;
  /** A pixel a cell. */
  readonly source: HTMLCanvasElement;
  readonly heat: HeatMapData;
  readonly data: PageData;
  readonly axis: TimeAxis;
  readonly place: MapPlace;
  /** Columns by time, when each was seen, and from where on it is the nearest. */
  readonly order: readonly number[];
  readonly times: readonly number[];
  readonly edges: readonly number[];
  readonly cells: Uint8Array;
  readonly held: HeldCells;
  /** Rows that are shown. */
  from: number;
  to: number;
  mark: { readonly x: number; readonly y: number } | undefined;
}

/**
 * The address space over time, arenas and other places in bands of their own, under the same time axis as the charts.
 * Wheel and keys zoom, dragging moves, a click says what is there.
 */
function drawAddressMap(into: HTMLElement, data: PageData, heat: HeatMapData, axis: TimeAxis, place: MapPlace): void {
  const rows = heat.rows.length;
  const seen = axis.isTime ? heat.ns : heat.events;
  const order = seen.map((_, i) => i).sort((i, j) => seen[i]! - seen[j]! || i - j);
  const times = order.map((i) => seen[i]!);
  const canvas = element('canvas', {
    class: 'heat',
    tabindex: '0',
    role: 'application',
    'aria-label': `Address space over time: ${rows} rows of ${bytesText(heat.rowBytes)}. Arrow keys move the mark and say what is there, plus and minus zoom time, Page Up and Page Down zoom addresses, 0 shows all.`,
  });
  if (rows < FEW_ROWS) canvas.style.height = `${Math.max(3, rows) * FEW_ROW_HEIGHT + AXIS_HEIGHT}px`;
  const cells = decodeCells(heat.cells);
  const map: AddressMap = {
    canvas,
    source: mapPixels(data, cells, order, rows),
    heat,
    axis,
    place,
    order,
    times,
    // The program began with nothing at 0.
    edges: times.map((time, i) => (time + (times[i - 1] ?? 0)) / 2),
    cells,
    held: decodeHeld(heat.held, cells.length),
    data,
    from: 0,
    to: rows,
    mark: undefined,
  };
  into.append(mapButtons(map), canvas);
  listenToMapPointer(map);
  listenToMapKeys(map);
  axis.view.listeners.add(() => paintMap(map));
  paintMap(map);
}

/** The first group at the top: it is the one that is read first. */
function mapPixels(data: PageData, cells: Uint8Array, order: readonly number[], rows: number): HTMLCanvasElement {
  const columns = order.length;
  const free = channels(shade(data.classes.find((c) => c.key === 'returnable')!));
  const used = channels(shade(data.classes[0]!));
  const image = new ImageData(columns, rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      image.data.set(mapColour(cells[y * columns + order[x]!]!, free, used), (y * columns + x) * 4);
    }
  }
  const source = element('canvas');
  source.width = columns;
  source.height = rows;
  source.getContext('2d')!.putImageData(image, 0, 0);
  return source;
}

const plotHeight = ({ canvas }: AddressMap): number => canvas.clientHeight - AXIS_HEIGHT;

function timeX({ axis, place }: AddressMap, time: number): number {
  const { left, width } = place.box();
  return left + ((time - axis.view.from) / (axis.view.to - axis.view.from)) * width;
}

const rowY = (map: AddressMap, row: number): number => ((row - map.from) / (map.to - map.from)) * plotHeight(map);

function paintMap(map: AddressMap): void {
  const { canvas, source, times, edges, axis, mark } = map;
  const ratio = devicePixelRatio;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  const ctx = canvas.getContext('2d')!;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { left, width } = map.place.box();
  const height = plotHeight(map);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, 0, width, height);
  ctx.clip();
  ctx.imageSmoothingEnabled = false;
  edges.forEach((edge, x) => {
    const from = timeX(map, edge);
    const to = x + 1 < edges.length ? timeX(map, edges[x + 1]!) : Math.max(from + 2, timeX(map, axis.view.all[1]));
    if (to < left || from > left + width || to <= from) return;
    ctx.drawImage(source, x, map.from, 1, map.to - map.from, from, 0, to - from + 0.5, height);
  });
  if (map.place.judgedAt !== null) {
    ctx.fillStyle = styleValue('--accent');
    ctx.fillRect(Math.round(timeX(map, map.place.judgedAt)) - 1, 0, 2, height);
  }
  if (mark) {
    ctx.strokeStyle = styleValue('--fg');
    ctx.lineWidth = 1.5;
    ctx.setLineDash([4, 3]);
    const x = timeX(map, times[mark.x]!);
    ctx.strokeRect(left - 2, rowY(map, mark.y + 0.5) - 4, width + 4, 8);
    ctx.beginPath();
    ctx.moveTo(x, 0);
    ctx.lineTo(x, height);
    ctx.stroke();
  }
  ctx.restore();
  paintBands(map, ctx);
  paintTimeAxis(map, ctx);
}

function paintTimeAxis(map: AddressMap, ctx: CanvasRenderingContext2D): void {
  const { axis, canvas } = map;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'center';
  ctx.fillStyle = styleValue('--dim');
  const ticks = roundTicks(axis.view.from, axis.view.to, map.place.box().width / 90, axis.view.whole ? 1 : 0);
  for (const tick of ticks) {
    const x = timeX(map, tick);
    ctx.fillRect(x, plotHeight(map), 1, 4);
    const text = axis.xText(tick);
    ctx.fillText(text, Math.min(x, canvas.clientWidth - ctx.measureText(text).width / 2), plotHeight(map) + 7);
  }
}

function zoomRows(map: AddressMap, factor: number, centre = (map.from + map.to) / 2): void {
  const rows = map.heat.rows.length;
  const size = Math.min(rows, Math.max(Math.min(ROWS_CLOSEST, rows), (map.to - map.from) * factor));
  const share = (centre - map.from) / (map.to - map.from);
  map.from = Math.min(Math.max(0, centre - size * share), rows - size);
  map.to = map.from + size;
  paintMap(map);
}

function showWholeMap(map: AddressMap): void {
  showAllTime(map.axis.view);
  zoomRows(map, map.heat.rows.length);
}

/** For those who have neither a wheel nor keys. */
function mapButtons(map: AddressMap): HTMLElement {
  const { view } = map.axis;
  const group = element('div', { class: 'bar', role: 'group', 'aria-label': 'Zoom of the map' });
  const button = (text: string, does: () => void) => {
    const one = element('button', { type: 'button' }, text);
    one.addEventListener('click', does);
    group.append(one);
  };
  button('time +', () => zoomTime(view, 0.6));
  button('time −', () => zoomTime(view, 1 / 0.6));
  button('addresses +', () => zoomRows(map, 0.6, map.mark && map.mark.y + 0.5));
  button('addresses −', () => zoomRows(map, 1 / 0.6, map.mark && map.mark.y + 0.5));
  button('all', () => showWholeMap(map));
  return group;
}

function panRows(map: AddressMap, by: number): void {
  const size = map.to - map.from;
  map.from = Math.min(Math.max(0, map.from + by), map.heat.rows.length - size);
  map.to = map.from + size;
  paintMap(map);
}

function chooseMapCell(map: AddressMap, column: number, row: number): void {
  const { heat, order, times, axis } = map;
  const x = Math.min(order.length - 1, Math.max(0, column));
  const y = Math.min(heat.rows.length - 1, Math.max(0, row));
  map.mark = { x, y };
  const time = times[x]!;
  if (time < axis.view.from || time > axis.view.to) {
    const half = (axis.view.to - axis.view.from) / 2;
    showTime(axis.view, time - half, time + half);
  }
  if (y < map.from) panRows(map, y - map.from - 2);
  else if (y >= map.to) panRows(map, y - map.to + 3);
  else paintMap(map);
  const cell = y * order.length + order[x]!;
  map.place.report(
    describeMapCell(heat, order[x]!, y, map.cells[cell]!),
    describeHolders(map, cell),
    describeNeighbours(map, x, y),
  );
}

function listenToMapKeys(map: AddressMap): void {
  const { view } = map.axis;
  map.canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { x, y } = map.mark ?? { x: Math.floor(map.order.length / 2), y: Math.floor(map.heat.rows.length / 2) };
    const actions: Readonly<Record<string, () => void>> = {
      '+': () => zoomTime(view, 0.6),
      '=': () => zoomTime(view, 0.6),
      '-': () => zoomTime(view, 1 / 0.6),
      PageUp: () => zoomRows(map, 0.6, y),
      PageDown: () => zoomRows(map, 1 / 0.6, y),
      '0': () => showWholeMap(map),
      ArrowLeft: () => chooseMapCell(map, x - 1, y),
      ArrowRight: () => chooseMapCell(map, x + 1, y),
      ArrowUp: () => chooseMapCell(map, x, y - 1),
      ArrowDown: () => chooseMapCell(map, x, y + 1),
      Enter: () => chooseMapCell(map, x, y),
    };
    const action = actions[event.key];
    if (!action) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  });
}

function describeMapCell(heat: HeatMapData, column: number, row: number, value: number): string {
  const { address, name } = heat.rows[row]!;
  const ns = heat.ns[column]!;
  const when = `${ns > 0 ? `${nsText(ns)}, ` : ''}event ${countText(heat.events[column]!)}`;
  const residency = (value >> 4) / 15;
  const free = 1 - (value & 15) / 15;
  const state =
    residency === 0
      ? 'nothing resident'
      : `about ${Math.round(residency * 100)} % resident, of that ${free === 1 ? 'all or nearly all is' : `${Math.round(free * 100)} %`} free`;
  return `${name || 'other mapping'}, ${bytesText(heat.rowBytes)} from ${address}, at ${when}: ${state}.`;
}

/** Who holds a cell: how many live blocks, and the one with most bytes there. */
function describeHolders({ held, heat, data, cells }: AddressMap, cell: number): string {
  if (cells[cell]! >> 4 === 0) return '';
  if (heat.held === '') return 'Who holds it is told in a report of fewer runs.';
  const count = held.count[cell]!;
  const i = held.holder[cell]! - 1;
  const { holders } = heat;
  if (count === 0) return 'No block of the program lies here then: what is not free is the allocator’s own.';
  const many = count === 1 ? 'One live block holds it' : `${countText(count)} live blocks hold it`;
  const isMuchFree = (cells[cell]! & 15) < 15;
  const keeps = isMuchFree ? `, and ${count === 1 ? 'keeps' : 'keep'} what is free on the same pages` : '';
  if (i < 0)
    return `${many}${keeps}; they are not listed: this page has the ${countText(holders.address.length)} that hold most.`;
  return `${many}${keeps}; ${count === 1 ? '' : 'the largest '}${holderText(data, holders, i)}.`;
}

function holderText(data: PageData, holders: HeatMapData['holders'], i: number): string {
  const by = holders.thread[i]! < 0 ? '' : ` by ${threadText(holders.thread[i]!)}`;
  const since = (holders.event[i] ?? -1) < 0 ? '' : `, since event ${sinceText(holders, i)}${by}`;
  const site = siteText(holders, i);
  return `${bytesText(holders.requestedBytes[i]!)} asked for (${bytesText(holders.usableBytes[i]!)} usable) at ${addressText(data, holders.address[i]!)}${since}${site && `, in ${site}`}`;
}

/** Who had a place before and who got it next, where nobody has it. */
function describeNeighbours({ held, heat, data, cells, order, axis, times }: AddressMap, x: number, y: number): string {
  const cellAt = (column: number) => y * order.length + order[column]!;
  if (heat.held === '' || held.count[cellAt(x)]! > 0) return '';
  const isHeld = (column: number) => held.count[cellAt(column)]! > 0;
  let before = x - 1;
  while (before >= 0 && !isHeld(before)) before--;
  let after = x + 1;
  while (after < order.length && !isHeld(after)) after++;
  const whose = (column: number) => {
    const i = held.holder[cellAt(column)]! - 1;
    return i < 0 ? `${countText(held.count[cellAt(column)]!)} blocks` : holderText(data, heat.holders, i);
  };
  const at = (column: number) => `${axis.isTime ? '' : 'event '}${axis.xText(times[column]!)}`;
  const isResident = cells[cellAt(x)]! >> 4 > 0;
  const again = after < order.length ? at(after) : '';
  if (before < 0) return `No block lay here before.${again && ` The first comes at ${again}.`}`;
  const since = isResident ? 'free since, and still resident' : 'free since, and given back';
  return `Held until ${at(before + 1)}: ${whose(before)}; ${since}. ${again ? `Taken again at ${again}.` : 'Nobody takes it again.'}`;
}
