type HeatMapData = import('../page-data.ts').HeatMap;

/** Occupancy from empty (warm) to full (cool) on any background; how much is resident is the opacity. */
function heatColour(value: number): [number, number, number, number] {
  const residency = value >> 4;
  if (residency === 0) return [0, 0, 0, 0];
  const occupancy = (value & 15) / 15;
  const stops: [number, number, number][] = [
    [213, 62, 33],
    [244, 178, 62],
    [80, 170, 140],
    [20, 100, 180],
  ];
  const at = occupancy * (stops.length - 1);
  const low = stops[Math.floor(at)]!;
  const high = stops[Math.ceil(at)]!;
  const mix = (i: 0 | 1 | 2) => Math.round(low[i] + (high[i] - low[i]) * (at - Math.floor(at)));
  return [mix(0), mix(1), mix(2), 70 + Math.round((185 * residency) / 15)];
}

/** The address space over time on a canvas: wheel and keys zoom, dragging moves, the pointer tells what is where. */
function drawHeatMap(place: HTMLElement, heat: HeatMapData, report: (text: string) => void): void {
  const columns = heat.events.length;
  const rows = heat.rows.length;
  const cells = decodeCells(heat.cells);
  const image = new ImageData(columns, rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      // Low addresses at the bottom, as in drawings of a process.
      image.data.set(heatColour(cells[y * columns + x]!), ((rows - 1 - y) * columns + x) * 4);
    }
  }
  const source = document.createElement('canvas');
  source.width = columns;
  source.height = rows;
  source.getContext('2d')!.putImageData(image, 0, 0);

  const canvas = element('canvas', {
    class: 'heat',
    tabindex: '0',
    role: 'img',
    'aria-label': `Address space over time: ${rows} rows of ${bytesText(heat.rowBytes)}. Plus and minus zoom, arrow keys move, 0 shows all.`,
  });
  place.append(canvas);
  const view = { x: 0, y: 0, width: columns, height: rows };
  let drag: { x: number; y: number } | undefined;

  function draw(): void {
    const ratio = devicePixelRatio;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    const ctx = canvas.getContext('2d')!;
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(source, view.x, view.y, view.width, view.height, 0, 0, canvas.width, canvas.height);
    // Names of the areas, where they begin.
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = 'bottom';
    let free = Infinity;
    let previous = '';
    for (let row = 0; row < rows; row++) {
      const { name } = heat.rows[row]!;
      if (!name || name === previous) continue;
      previous = name;
      const y = ((rows - row - view.y) / view.height) * canvas.height;
      if (y < 0 || y > canvas.height || free - y < 13 * ratio) continue;
      ctx.fillStyle = styleValue('--panel');
      ctx.globalAlpha = 0.75;
      ctx.fillRect(2 * ratio, y - 13 * ratio, ctx.measureText(name).width + 6 * ratio, 13 * ratio);
      ctx.globalAlpha = 1;
      ctx.fillStyle = styleValue('--fg');
      ctx.fillText(name, 5 * ratio, y);
      free = y;
    }
  }

  function clamp(): void {
    view.width = Math.min(columns, Math.max(Math.min(8, columns), view.width));
    view.height = Math.min(rows, Math.max(Math.min(8, rows), view.height));
    view.x = Math.min(columns - view.width, Math.max(0, view.x));
    view.y = Math.min(rows - view.height, Math.max(0, view.y));
  }

  function zoom(factor: number, atX = 0.5, atY = 0.5): void {
    const width = Math.min(columns, view.width * factor);
    const height = Math.min(rows, view.height * factor);
    view.x += (view.width - width) * atX;
    view.y += (view.height - height) * atY;
    view.width = width;
    view.height = height;
    clamp();
    draw();
  }

  function move(x: number, y: number): void {
    view.x += view.width * x;
    view.y += view.height * y;
    clamp();
    draw();
  }

  function tell(event: PointerEvent): void {
    const x = Math.floor(view.x + (event.offsetX / canvas.clientWidth) * view.width);
    const y = rows - 1 - Math.floor(view.y + (event.offsetY / canvas.clientHeight) * view.height);
    const row = heat.rows[y];
    if (!row || x < 0 || x >= columns) return;
    const value = cells[y * columns + x]!;
    const residency = Math.round(((value >> 4) / 15) * 100);
    const occupancy = Math.round(((value & 15) / 15) * 100);
    report(
      `event ${countText(heat.events[x]!)}, from ${row.address}${row.name ? ` (${row.name})` : ''}: ${residency} % resident${residency > 0 ? `, of it ${occupancy} % live` : ''}`,
    );
  }

  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 0.8 : 1.25, event.offsetX / canvas.clientWidth, event.offsetY / canvas.clientHeight);
    },
    { passive: false },
  );
  canvas.addEventListener('pointerdown', (event) => {
    drag = { x: event.offsetX, y: event.offsetY };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointerup', () => (drag = undefined));
  canvas.addEventListener('pointermove', (event) => {
    if (drag) {
      move((drag.x - event.offsetX) / canvas.clientWidth, (drag.y - event.offsetY) / canvas.clientHeight);
      drag = { x: event.offsetX, y: event.offsetY };
    }
    tell(event);
  });
  canvas.addEventListener('keydown', (event) => {
    const step = 0.2;
    const actions: Readonly<Record<string, () => void>> = {
      '+': () => zoom(0.7),
      '=': () => zoom(0.7),
      '-': () => zoom(1 / 0.7),
      '0': () => zoom(Infinity),
      ArrowLeft: () => move(-step, 0),
      ArrowRight: () => move(step, 0),
      ArrowUp: () => move(0, -step),
      ArrowDown: () => move(0, step),
    };
    const action = actions[event.key];
    if (!action) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  });
  onThemeChange(draw);
  new ResizeObserver(draw).observe(canvas);
}
