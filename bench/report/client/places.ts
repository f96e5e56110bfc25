const OPEN_PLACES = 4;
const SQUARE = 7;

/** All places that hold resident memory, largest first, each with its pages as squares that can be asked. */
function drawPlaces(
  into: HTMLElement,
  data: PageData,
  run: RunData,
  chosen: number,
  choose: (moment: number) => void,
): void {
  const place = panel(
    'Where it lies',
    into,
    'places',
    'Each square is a piece of memory in address order. Click one, or use the arrow keys, to see who holds it.',
  );
  const moment = run.moments[chosen];
  if (!moment || moment.places.length === 0) {
    place.append(
      emptyNote(
        run.moments.length === 0
          ? 'This report was made from a result alone, without its pages.'
          : `Nothing is resident ${moment!.label}.`,
      ),
    );
    if (run.moments.length > 1) place.prepend(momentChoice(run, chosen, choose));
    return;
  }
  if (run.moments.length > 1) place.append(momentChoice(run, chosen, choose));
  const detail = decodeMoment(moment);
  const most = moment.places[0]!.residentBytes;
  const status = element(
    'div',
    { 'aria-live': 'polite', id: 'cell-detail' },
    emptyNote(`One square is ${bytesText(moment.cellBytes)}.`),
  );
  moment.places.slice(0, 60).forEach((p, i) => {
    const summary = element(
      'summary',
      {},
      element('span', { class: 'place-name' }, placeText(p.name, p.areas)),
      element('span', { class: 'number' }, bytesText(p.residentBytes)),
      element('span', { class: 'number dim' }, percentText(p.residentBytes / moment.rssBytes)),
      element('span', { class: 'place-bar' }, stackedBar(data.classes, p.classBytes, p.residentBytes / most)),
    );
    const details = element('details', {}, summary);
    place.append(details);
    const fill = () => {
      if (details.childElementCount === 1) drawSquares(details, data, moment, detail, p, status);
    };
    details.addEventListener('toggle', () => details.open && fill());
    if (i < OPEN_PLACES && (i === 0 || p.residentBytes > most / 50)) details.open = true;
  });
  if (moment.places.length > 60) place.append(emptyNote(`and ${moment.places.length - 60} smaller ones`));
  place.append(status);
}

/** On paper the chosen one alone. */
function momentChoice(run: RunData, chosen: number, choose: (moment: number) => void): HTMLElement {
  const names = run.moments.map((m) => `${m.label}: ${bytesText(m.rssBytes)}`);
  return element(
    'div',
    {},
    choice('Moment', names, chosen, choose),
    element('p', { class: 'paper' }, `Drawn as it is ${names[chosen]!}.`),
  );
}

function drawSquares(
  into: HTMLElement,
  data: PageData,
  moment: MomentData,
  detail: MomentDetail,
  place: PlaceData,
  status: HTMLElement,
): void {
  const cells = decodePlaceCells(place, moment.cellBytes);
  const canvas = element('canvas', {
    class: 'squares',
    tabindex: '0',
    role: 'application',
    'aria-label': `${cells.length} pieces of ${bytesText(moment.cellBytes)} of ${place.name}. Arrow keys move from one to the next and say who holds it.`,
  });
  const scroll = element('div', { class: 'squares-scroll' }, canvas);
  into.append(scroll);
  const perRow = Math.max(16, Math.floor((into.clientWidth - 14) / SQUARE));
  const rows = Math.ceil(cells.length / perRow);
  const ratio = devicePixelRatio;
  canvas.style.width = `${perRow * SQUARE}px`;
  canvas.style.height = `${rows * SQUARE}px`;
  canvas.width = perRow * SQUARE * ratio;
  canvas.height = rows * SQUARE * ratio;
  let chosen = -1;

  function draw(): void {
    const ctx = canvas.getContext('2d')!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, perRow * SQUARE, rows * SQUARE);
    cells.forEach(({ page, run }, i) => {
      const x = (i % perRow) * SQUARE;
      const y = Math.floor(i / perRow) * SQUARE;
      let bottom = y + SQUARE - 1;
      // A square is filled from below by what lies in it, in the order of the classes.
      data.classes.forEach((c, k) => {
        const value = place.cells.bytes[k]![run]!;
        if (value === 0) return;
        const height = Math.max(1, Math.round((value / moment.cellBytes) * (SQUARE - 1)));
        ctx.fillStyle = shade(c);
        const top = Math.max(y, bottom - height);
        ctx.fillRect(x, top, SQUARE - 1, bottom - top);
        bottom = top;
      });
      // A gap in the addresses.
      const before = cells[i - 1];
      if (before && page !== before.page + place.cells.span[before.run]!) {
        ctx.fillStyle = styleValue('--fg');
        ctx.fillRect(x - 1, y, 1, SQUARE - 1);
      }
    });
    if (chosen >= 0) {
      ctx.strokeStyle = styleValue('--fg');
      ctx.lineWidth = 2;
      ctx.strokeRect((chosen % perRow) * SQUARE - 1, Math.floor(chosen / perRow) * SQUARE - 1, SQUARE + 1, SQUARE + 1);
    }
  }

  function choose(index: number): void {
    chosen = Math.min(cells.length - 1, Math.max(0, index));
    draw();
    const top = Math.floor(chosen / perRow) * SQUARE;
    if (top < scroll.scrollTop || top > scroll.scrollTop + scroll.clientHeight - SQUARE) scroll.scrollTop = top - 40;
    into.after(status);
    drawCellDetail(status, data, moment, detail, place, cells[chosen]!);
  }

  canvas.addEventListener('click', (event) => {
    const column = Math.min(perRow - 1, Math.floor(event.offsetX / SQUARE));
    choose(Math.floor(event.offsetY / SQUARE) * perRow + column);
  });
  canvas.addEventListener('keydown', (event) => {
    const steps: Readonly<Record<string, number>> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -perRow,
      ArrowDown: perRow,
      Home: -Infinity,
      End: Infinity,
      Enter: 0,
    };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    choose(chosen < 0 && Number.isFinite(step) ? 0 : Math.max(0, chosen) + step);
    event.preventDefault();
    event.stopPropagation();
  });
  draw();
}
