interface MapPoint {
  readonly time: number;
  readonly row: number;
}

/** The time and the row at a place of the canvas. */
function mapPoint(map: AddressMap, x: number, y: number): MapPoint {
  const { view } = map.axis;
  const { left, width } = map.place.box();
  return {
    time: view.from + ((x - left) / width) * (view.to - view.from),
    row: map.from + (y / plotHeight(map)) * (map.to - map.from),
  };
}

interface Finger {
  readonly x: number;
  readonly y: number;
}

/** Two fingers nearer to each other than this in a direction do not zoom in it. */
const PINCH_LEAST = 24;

/** Dragging moves, two fingers and the wheel zoom, a click says what is there. */
function listenToMapPointer(map: AddressMap): void {
  const { canvas } = map;
  const fingers = new Map<number, Finger>();
  let hasMoved = false;
  canvas.addEventListener('pointerdown', (event) => {
    if (fingers.size === 0) hasMoved = false;
    fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.offsetX, y: event.offsetY };
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) {
      if (!hasMoved && Math.abs(before.x - now.x) + Math.abs(before.y - now.y) < 4) return;
      panTime(map.axis.view, (before.x - now.x) / map.place.box().width);
      panRows(map, ((before.y - now.y) / plotHeight(map)) * (map.to - map.from));
    } else {
      pinchMap(map, other, before, now);
    }
    hasMoved = true;
    fingers.set(event.pointerId, now);
  });
  canvas.addEventListener('pointerup', (event) => {
    if (fingers.has(event.pointerId) && !hasMoved) {
      const { time, row } = mapPoint(map, event.offsetX, event.offsetY);
      const after = map.edges.findIndex((edge) => edge > time);
      chooseMapCell(map, (after < 0 ? map.edges.length : after) - 1, Math.floor(row));
    }
    fingers.delete(event.pointerId);
  });
  canvas.addEventListener('pointercancel', (event) => fingers.delete(event.pointerId));
  canvas.addEventListener('wheel', (event) => wheelMap(map, event), { passive: false });
}

/** What lay between the fingers lies between them still: in time, in addresses, or both, as they are apart. */
function pinchMap(map: AddressMap, still: Finger, before: Finger, now: Finger): void {
  const middle = mapPoint(map, (still.x + before.x) / 2, (still.y + before.y) / 2);
  const factor = (axis: 'x' | 'y') => {
    const [was, is] = [Math.abs(before[axis] - still[axis]), Math.abs(now[axis] - still[axis])];
    return was < PINCH_LEAST || is < PINCH_LEAST ? 1 : was / is;
  };
  if (factor('x') !== 1) zoomTime(map.axis.view, factor('x'), middle.time);
  if (factor('y') !== 1) zoomRows(map, factor('y'), middle.row);
}

function wheelMap(map: AddressMap, event: WheelEvent): void {
  if (!event.ctrlKey && document.activeElement !== map.canvas) return;
  event.preventDefault();
  const factor = event.deltaY < 0 ? 0.75 : 1 / 0.75;
  const { time, row } = mapPoint(map, event.offsetX, event.offsetY);
  // Some browsers turn a wheel with Shift sideways.
  if (event.shiftKey) zoomRows(map, event.deltaY < 0 || event.deltaX < 0 ? 0.75 : 1 / 0.75, row);
  else zoomTime(map.axis.view, factor, time);
}
