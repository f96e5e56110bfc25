/** A moment's areas and freed runs with the addresses summed up again. */
interface Surroundings {
  readonly areaStart: readonly number[];
  readonly freedPage: readonly number[];
  readonly moment: MomentData;
}

function decodeSurroundings(moment: MomentData): Surroundings {
  return {
    areaStart: summed(moment.areas.start),
    freedPage: moment.freed ? summed(moment.freed.page) : [],
    moment,
  };
}

/** The last of ascending numbers that is not above `value`, -1 without one. */
function lastUpTo(numbers: readonly number[], value: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The area with a byte in [start, end), -1 where none is known. */
function areaOn({ areaStart, moment }: Surroundings, start: number, end: number): number {
  const below = lastUpTo(areaStart, start);
  if (below >= 0 && areaStart[below]! + moment.areas.bytes[below]! > start) return below;
  const next = below + 1;
  return next < areaStart.length && areaStart[next]! < end ? next : -1;
}

/** `arena 3, heap 1 (blocks of thread 5)`. */
function areaText({ moment: { areas } }: Surroundings, area: number, otherwise: string): string {
  if (area < 0) return otherwise;
  const threads = areas.threadTexts[areas.threads[area]!]!;
  const name = areas.names[areas.name[area]!]!;
  return threads === '' ? name : `${name} (blocks of ${threads})`;
}

/** Whose the free memory of [start, end) was: the block that was freed there last. '' where nobody looked. */
function whoseText(around: Surroundings, start: number, end: number): string {
  const { freed } = around.moment;
  if (!freed) return '';
  const last = lastUpTo(around.freedPage, (end - 1) / PAGE_BYTES);
  if (last < 0 || (around.freedPage[last]! + freed.length[last]!) * PAGE_BYTES <= start) {
    return 'No block was freed here: it was never handed out.';
  }
  const site = siteText(freed, last);
  const by = freed.thread[last]! < 0 ? '' : ` by ${threadText(freed.thread[last]!)}`;
  const at = freed.freedAt[last]! < 0 ? `${by}` : `${by} with event ${countText(freed.event[last]!)}`;
  const gone =
    freed.freedAt[last]! < 0
      ? ''
      : `; ${threadText(freed.freedBy[last]!)} freed it with event ${countText(freed.freedAt[last]!)}`;
  return `The last block here was allocated${site && ` in ${site}`}${at}${gone}.`;
}

/** Why free memory stays where no block lies on its page. */
function whyText(
  data: PageData,
  around: Surroundings,
  blocks: Blocks,
  area: number,
  start: number,
  has: (key: SeriesName) => boolean,
): string {
  if (has('metadata')) return 'No block of the program lies here: the allocator itself keeps it.';
  if (has('cached')) {
    return 'No block of the program lies here: it is free, in a cache of the allocator or of a thread, for blocks of its size.';
  }
  if (area < 0) return 'No block of the program lies here: it could be given back.';
  const { areas } = around.moment;
  const rule = areas.rules[areas.rule[area]!]!;
  const live = areas.live[area]!;
  const from = around.areaStart[area]!;
  const name = areas.names[areas.name[area]!]!;
  if (has('withinSlabs')) {
    const first = nextBlock(data, blocks, from, from + areas.bytes[area]!);
    return `${live === 1 ? 'One block' : `${countText(live)} blocks`} of the program ${live === 1 ? 'lies' : 'lie'} elsewhere in this ${name}: ${rule.within}${first && `. The first listed is ${first}`}.`;
  }
  const behind = (rule_: string) => (rule_ === '' ? 'it could be given back' : rule_);
  if (start >= from + areas.liveEnd[area]!) {
    if (live === 0) return `No block lives in all of ${name}: ${behind(rule.end)}.`;
    const endStart = areas.endStart[area]!;
    return start >= from + endStart
      ? `It is part of the free end of ${name}, ${bytesText(areas.bytes[area]! - endStart)}: ${behind(rule.end)}.`
      : `No block lives above it in ${name}, but something that was freed and merges with nothing lies there: ${behind(rule.end)}.`;
  }
  const above = nextBlock(data, blocks, start, from + areas.bytes[area]!);
  return `It lies below blocks that live${above && `, the next one ${blocks.leftOut > 0 ? 'listed ' : ''}${above}`}: ${behind(rule.within)}.`;
}

/** The first listed block in [start, end), by all that is known of it; '' without one. */
function nextBlock(page: PageData, { address, data }: Blocks, start: number, end: number): string {
  const i = lastUpTo(address, start - 1) + 1;
  if (i >= address.length || address[i]! >= end) return '';
  const site = siteText(data, i);
  const since =
    (data.event[i] ?? -1) < 0 ? '' : `, since event ${sinceText(data, i)} by ${threadText(data.thread[i]!)}`;
  return `at ${addressText(page, address[i]!)} (${bytesText(data.requestedBytes[i]!)}${since}${site && `, in ${site}`})`;
}
