/** The stretch of the time axis that every figure over time shows; the cursor and the zoom of one are those of all. */
interface TimeView {
  readonly all: readonly [number, number];
  /** Of events, which are whole. */
  readonly whole: boolean;
  from: number;
  to: number;
  readonly listeners: Set<() => void>;
}

function createTimeView(least: number, greatest: number, whole = false): TimeView {
  const to = greatest > least ? greatest : least + 1;
  return { all: [least, to], whole, from: least, to, listeners: new Set() };
}

/** Within what there is; not closer than a thousandth of a millionth of it. */
function showTime(view: TimeView, from: number, to: number): void {
  const [least, greatest] = view.all;
  const width = Math.min(greatest - least, Math.max((greatest - least) * 1e-6, to - from));
  const start = Math.min(Math.max(least, from), greatest - width);
  if (start === view.from && start + width === view.to) return;
  view.from = start;
  view.to = start + width;
  for (const listener of view.listeners) listener();
}

function zoomTime(view: TimeView, factor: number, centre = (view.from + view.to) / 2): void {
  showTime(view, centre - (centre - view.from) * factor, centre + (view.to - centre) * factor);
}

function panTime(view: TimeView, share: number): void {
  const width = view.to - view.from;
  showTime(view, view.from + width * share, view.to + width * share);
}

function showAllTime(view: TimeView): void {
  showTime(view, view.all[0], view.all[1]);
}
