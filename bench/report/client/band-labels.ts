const LABEL_HEIGHT = 15;
/** Here a label finds room between those that reach in from above and below. */
const ROOMY_HEIGHT = 2 * LABEL_HEIGHT + 4;

/** A band of the address map on the screen, in pixels from the top of the plot. */
interface Band {
  readonly top: number;
  readonly bottom: number;
}

/**
 * The middle of each band's label, null where it finds no room. A label stands at the top of its band, lower where
 * another one is in the way; that of a thin band stands in its middle, and may reach into its neighbours. Bands with
 * room to move their label choose last, for they always find some; of the others the tallest choose first.
 */
function placeLabels(bands: readonly Band[], height: number): (number | null)[] {
  const middles: (number | null)[] = bands.map(() => null);
  const taken: number[] = [];
  const visible = bands.map(({ top, bottom }) => [Math.max(0, top), Math.min(height, bottom)] as const);
  const tall = (i: number) => visible[i]![1] - visible[i]![0];
  const half = LABEL_HEIGHT / 2;
  const canYield = (i: number) => Number(tall(i) >= ROOMY_HEIGHT);
  const order = [...bands.keys()].sort((a, b) => canYield(a) - canYield(b) || tall(b) - tall(a) || a - b);
  for (const i of order) {
    if (tall(i) <= 0) continue;
    const [top, bottom] = visible[i]!;
    const isThin = tall(i) < LABEL_HEIGHT + 3;
    const centre = Math.min(Math.max((top + bottom) / 2, half), height - half);
    const first = isThin ? centre : top + half + 2;
    const last = isThin ? centre : bottom - half - 1;
    const options = [first, ...taken.map((y) => y + LABEL_HEIGHT)].filter((y) => y >= first && y <= last);
    const free = options.filter((y) => taken.every((other) => Math.abs(other - y) >= LABEL_HEIGHT));
    if (free.length === 0) continue;
    middles[i] = Math.min(...free);
    taken.push(middles[i]!);
  }
  return middles;
}

/** Lines between the groups; over them the size of each group beside it, and its name on it. */
function paintBands(map: AddressMap, ctx: CanvasRenderingContext2D): void {
  const { heat } = map;
  const { left, width } = map.place.box();
  const height = plotHeight(map);
  const bands = heat.groups.map(({ from, rows }) => ({ top: rowY(map, from), bottom: rowY(map, from + rows) }));
  ctx.fillStyle = styleValue('--dim');
  let drawn = Number.NEGATIVE_INFINITY;
  for (const { top } of bands) {
    // Of bands as thin as a line the lines would be all that is seen.
    if (top <= 0 || top >= height || top - drawn < 4) continue;
    ctx.fillRect(left - 4, Math.round(top), width + 4, 1);
    drawn = top;
  }
  ctx.font = '11px system-ui, sans-serif';
  ctx.textBaseline = 'middle';
  placeLabels(bands, height).forEach((middle, i) => {
    if (middle === null) return;
    const group = heat.groups[i]!;
    ctx.textAlign = 'right';
    ctx.fillStyle = styleValue('--dim');
    ctx.fillText(bytesText(group.rows * heat.rowBytes), left - 6, middle);
    ctx.textAlign = 'left';
    const text = fitText(ctx, placeText(group.name, group.areas), width - 20);
    ctx.fillStyle = styleValue('--panel');
    ctx.fillRect(left + 1, middle - LABEL_HEIGHT / 2, ctx.measureText(text).width + 8, LABEL_HEIGHT);
    ctx.fillStyle = styleValue('--fg');
    ctx.fillText(text, left + 5, middle);
  });
}

function fitText(ctx: CanvasRenderingContext2D, text: string, width: number): string {
  if (ctx.measureText(text).width <= width) return text;
  let shorter = text;
  while (shorter.length > 1 && ctx.measureText(`${shorter}…`).width > width) shorter = shorter.slice(0, -1);
  return `${shorter}…`;
}
