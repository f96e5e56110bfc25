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
  readonly report: (text: string) => void;
}

const AXIS_HEIGHT = 22;

/**
 * The address space over time, arenas and other places in bands of their own, under the same time axis as the charts.
 * Wheel and keys zoom, dragging moves, a click says what is there.
 */
function drawAddressMap(place: HTMLElement, data: PageData, heat: HeatMapData, axis: TimeAxis, map: MapPlace): void {
  const rows = heat.rows.length;
  const times = axis.isTime ? heat.ns : heat.events;
  const order = times.map((_, i) => i).sort((i, j) => times[i]! - times[j]! || i - j);
  const starts = order.map((i) => times[i]!);
  const columns = order.length;
  const cells = decodeCells(heat.cells);
  const valueAt = (x: number, y: number) => cells[y * columns + order[x]!]!;
  const free = channels(shade(data.classes.find((c) => c.key === 'returnable')!));
  const used = channels(shade(data.classes[0]!));
  const image = new ImageData(columns, rows);
  // The first group at the top: it is the one that is read first.
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) image.data.set(mapColour(valueAt(x, y), free, used), (y * columns + x) * 4);
  }
  const source = element('canvas');
  source.width = columns;
  source.height = rows;
  source.getContext('2d')!.putImageData(image, 0, 0);

  const canvas = element('canvas', {
    class: 'heat',
    tabindex: '0',
    role: 'application',
    'aria-label': `Address space over time: ${rows} rows of ${bytesText(heat.rowBytes)}. Arrow keys move the mark and say what is there, plus and minus zoom time, Page Up and Page Down zoom addresses, 0 shows all.`,
  });
  place.append(canvas);
  const view = { from: 0, to: rows };
  let mark: { x: number; y: number } | undefined;
  let drag: { x: number; y: number; moved: boolean } | undefined;

  const plotHeight = () => canvas.clientHeight - AXIS_HEIGHT;
  const timeX = (time: number) => {
    const { left, width } = map.box();
    return left + ((time - axis.view.from) / (axis.view.to - axis.view.from)) * width;
  };
  const rowY = (row: number) => ((row - view.from) / (view.to - view.from)) * plotHeight();

  function draw(): void {
    const ratio = devicePixelRatio;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    const ctx = canvas.getContext('2d')!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { left, width } = map.box();
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, 0, width, plotHeight());
    ctx.clip();
    ctx.imageSmoothingEnabled = false;
    for (let x = 0; x < columns; x++) {
      const from = timeX(starts[x]!);
      const to = x + 1 < columns ? timeX(starts[x + 1]!) : Math.max(from + 2, timeX(axis.view.all[1]));
      if (to < left || from > left + width || to <= from) continue;
      ctx.drawImage(source, x, view.from, 1, view.to - view.from, from, 0, to - from + 0.5, plotHeight());
    }
    if (mark) {
      ctx.strokeStyle = styleValue('--fg');
      ctx.lineWidth = 1.5;
      ctx.setLineDash([4, 3]);
      const x = timeX(starts[mark.x]!);
      const y = rowY(mark.y + 0.5);
      ctx.strokeRect(left - 2, y - 4, width + 4, 8);
      ctx.beginPath();
      ctx.moveTo(x, 0);
      ctx.lineTo(x, plotHeight());
      ctx.stroke();
    }
    ctx.restore();
    drawBands(ctx, left, width);
    drawTimeAxis(ctx, width);
  }

  /** A line over each group, its size beside it, and its name on it where there is room. */
  function drawBands(ctx: CanvasRenderingContext2D, left: number, width: number): void {
    ctx.font = '11px system-ui, sans-serif';
    ctx.textBaseline = 'middle';
    let freeFrom = 0;
    for (const group of heat.groups) {
      const top = rowY(group.from);
      const bottom = rowY(group.from + group.rows);
      if (bottom <= 0 || top >= plotHeight()) continue;
      ctx.fillStyle = styleValue('--dim');
      if (top > 0) ctx.fillRect(0, Math.round(top), left + width, 1);
      const middle = Math.max(0, top) + 9;
      if (middle < freeFrom || middle > plotHeight() - 8) continue;
      ctx.textAlign = 'right';
      ctx.fillText(bytesText(group.rows * heat.rowBytes), left - 6, middle);
      ctx.textAlign = 'left';
      const text = fitText(ctx, placeText(group.name, group.areas), width - 20);
      ctx.globalAlpha = 0.85;
      ctx.fillStyle = styleValue('--panel');
      ctx.fillRect(left + 1, middle - 7, ctx.measureText(text).width + 8, 15);
      ctx.globalAlpha = 1;
      ctx.fillStyle = styleValue('--fg');
      ctx.fillText(text, left + 5, middle);
      freeFrom = middle + 15;
    }
  }

  function drawTimeAxis(ctx: CanvasRenderingContext2D, width: number): void {
    ctx.textBaseline = 'top';
    ctx.textAlign = 'center';
    ctx.fillStyle = styleValue('--dim');
    for (const tick of roundTicks(axis.view.from, axis.view.to, width / 90, axis.view.whole ? 1 : 0)) {
      const x = timeX(tick);
      ctx.fillRect(x, plotHeight(), 1, 4);
      const text = axis.xText(tick);
      const half = ctx.measureText(text).width / 2;
      ctx.fillText(text, Math.min(x, canvas.clientWidth - half), plotHeight() + 7);
    }
  }

  function zoomRows(factor: number, centre = (view.from + view.to) / 2): void {
    const size = Math.min(rows, Math.max(Math.min(8, rows), (view.to - view.from) * factor));
    const share = (centre - view.from) / (view.to - view.from);
    view.from = Math.min(Math.max(0, centre - size * share), rows - size);
    view.to = view.from + size;
    draw();
  }

  function panRows(by: number): void {
    const size = view.to - view.from;
    view.from = Math.min(Math.max(0, view.from + by), rows - size);
    view.to = view.from + size;
    draw();
  }

  function choose(x: number, y: number): void {
    mark = { x: Math.min(columns - 1, Math.max(0, x)), y: Math.min(rows - 1, Math.max(0, y)) };
    const time = starts[mark.x]!;
    if (time < axis.view.from || time > axis.view.to) {
      const half = (axis.view.to - axis.view.from) / 2;
      showTime(axis.view, time - half, time + half);
    }
    if (mark.y < view.from) panRows(mark.y - view.from - 2);
    if (mark.y >= view.to) panRows(mark.y - view.to + 3);
    draw();
    map.report(describeMapCell(heat, order[mark.x]!, mark.y, valueAt(mark.x, mark.y)));
  }

  function at(event: MouseEvent): { x: number; y: number } {
    const { left, width } = map.box();
    const time = axis.view.from + ((event.offsetX - left) / width) * (axis.view.to - axis.view.from);
    let x = 0;
    while (x + 1 < columns && starts[x + 1]! <= time) x++;
    return { x, y: Math.floor(view.from + (event.offsetY / plotHeight()) * (view.to - view.from)) };
  }

  canvas.addEventListener('pointerdown', (event) => {
    drag = { x: event.offsetX, y: event.offsetY, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!drag) return;
    const [dx, dy] = [drag.x - event.offsetX, drag.y - event.offsetY];
    if (!drag.moved && Math.abs(dx) + Math.abs(dy) < 4) return;
    drag = { x: event.offsetX, y: event.offsetY, moved: true };
    panTime(axis.view, dx / map.box().width);
    panRows((dy / plotHeight()) * (view.to - view.from));
  });
  canvas.addEventListener('pointerup', (event) => {
    if (drag && !drag.moved) {
      const { x, y } = at(event);
      choose(x, y);
    }
    drag = undefined;
  });
  canvas.addEventListener('pointercancel', () => (drag = undefined));
  canvas.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      const factor = event.deltaY < 0 ? 0.75 : 1 / 0.75;
      const { left, width } = map.box();
      if (event.shiftKey) zoomRows(factor, view.from + (event.offsetY / plotHeight()) * (view.to - view.from));
      else
        zoomTime(
          axis.view,
          factor,
          axis.view.from + ((event.offsetX - left) / width) * (axis.view.to - axis.view.from),
        );
    },
    { passive: false },
  );
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { x, y } = mark ?? { x: Math.floor(columns / 2), y: Math.floor(rows / 2) };
    const actions: Readonly<Record<string, () => void>> = {
      '+': () => zoomTime(axis.view, 0.6),
      '=': () => zoomTime(axis.view, 0.6),
      '-': () => zoomTime(axis.view, 1 / 0.6),
      PageUp: () => zoomRows(0.6, y),
      PageDown: () => zoomRows(1 / 0.6, y),
      '0': () => {
        showAllTime(axis.view);
        zoomRows(rows);
      },
      ArrowLeft: () => choose(x - 1, y),
      ArrowRight: () => choose(x + 1, y),
      ArrowUp: () => choose(x, y - 1),
      ArrowDown: () => choose(x, y + 1),
    };
    const action = actions[event.key];
    if (!action) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  });
  axis.view.listeners.add(draw);
  draw();
}

function describeMapCell(heat: HeatMapData, column: number, row: number, value: number): string {
  const { address, name } = heat.rows[row]!;
  const ns = heat.ns[column]!;
  const when = `${ns > 0 ? `${nsText(ns)}, ` : ''}event ${countText(heat.events[column]!)}`;
  const residency = (value >> 4) / 15;
  const occupancy = (value & 15) / 15;
  const state =
    residency === 0
      ? 'nothing resident'
      : `about ${Math.round(residency * 100)} % resident, of that ${Math.round(occupancy * 100)} % in use by the program`;
  return `${name || 'mapping'}, ${bytesText(heat.rowBytes)} from ${address}, at ${when}: ${state}.`;
}

function fitText(ctx: CanvasRenderingContext2D, text: string, width: number): string {
  if (ctx.measureText(text).width <= width) return text;
  let shorter = text;
  while (shorter.length > 1 && ctx.measureText(`${shorter}…`).width > width) shorter = shorter.slice(0, -1);
  return `${shorter}…`;
}
