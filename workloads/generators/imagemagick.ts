import type { BlockId, EventBuilder } from '../builder.ts';

/**
 * The objects of ImageMagick 6 (Q16), as far as malloc sees them: which blocks each is made of, in which order they come
 * and go. Taken from recorded runs of 6.9.11 on x86-64. All of it is the main thread's.
 */
export const PIXEL_BYTES = 8;

/** A structure that knows how to free its blocks. */
export interface MagickObject {
  destroy(): void;
}

const SEMAPHORE_BYTES = 64;
const CACHE_LINE = 64;

const semaphore = (events: EventBuilder): BlockId => events.memalign(0, CACHE_LINE, SEMAPHORE_BYTES);

/** An ExceptionInfo: itself, a list, and a semaphore for each. */
export function createException(events: EventBuilder): MagickObject {
  const [info, list] = [events.malloc(0, 56), events.malloc(0, 56)];
  const [lock, listLock] = [semaphore(events), semaphore(events)];
  return { destroy: () => freeAll(events, [lock, list, listLock, info]) };
}

/** Made and dropped again: nothing went wrong. */
export function passException(events: EventBuilder): void {
  createException(events).destroy();
}

export function freeAll(events: EventBuilder, blocks: readonly BlockId[]): void {
  for (const block of blocks) events.free(0, block);
}

/** A key and a value, by their lengths with the final zero. */
export type TextPair = readonly [number, number];

/** A splay tree of texts: pairs of key and value. */
export interface TextTree extends MagickObject {
  /** The entry at `index` gets new texts, and the old ones go then; or there was none, and it is added. */
  put(index: number, pair: TextPair): void;
  /** The tree has been searched meanwhile, so its entries go in another order. */
  destroySearched(): void;
}

function createTree(events: EventBuilder, pairs: readonly TextPair[]): TextTree {
  const tree = events.malloc(0, 88);
  const lock = semaphore(events);
  const entries: { texts: readonly BlockId[]; readonly node: BlockId }[] = [];
  const put = (index: number, [key, value]: TextPair) => {
    const texts = [events.malloc(0, key), events.malloc(0, value)];
    const old = entries[index]?.texts;
    if (old) {
      entries[index]!.texts = texts;
      freeAll(events, old);
    } else {
      entries.push({ texts, node: events.malloc(0, 32) });
    }
  };
  const texts = (...indices: number[]) => indices.flatMap((i) => entries[i]!.texts);
  const nodes = (...indices: number[]) => indices.map((i) => entries[i]!.node);
  pairs.forEach((pair, i) => {
    put(i, pair);
  });
  return {
    put,
    destroy() {
      // The texts of an entry go one step before the node of the entry behind it.
      for (let i = entries.length - 1; i >= 0; i--) {
        freeAll(events, texts(i));
        if (i + 1 < entries.length) freeAll(events, nodes(i + 1));
      }
      if (entries.length > 0) freeAll(events, nodes(0));
      freeAll(events, [lock, tree]);
    },
    destroySearched() {
      const order =
        entries.length === 4
          ? [...texts(0, 2), ...nodes(0), ...texts(1, 3), ...nodes(2, 3, 1)]
          : [...texts(...entries.keys()), ...nodes(...entries.keys())];
      freeAll(events, [...order, lock, tree]);
    },
  };
}

/** The options of the command line, filter and thread limit, as settings and in images. */
export const FILTER_OPTION = [8, 9] as const;
export const LIMIT_OPTION = [8, 7] as const;

export interface ImageInfo extends MagickObject {
  readonly options: TextTree;
  /** As `destroy`, where its options have been looked at. */
  destroySearched(): void;
}

/** An ImageInfo with the options that the command line has set so far. */
export function createImageInfo(events: EventBuilder, pairs: readonly TextPair[]): ImageInfo {
  const info = events.malloc(0, 16800);
  passException(events);
  const options = createTree(events, pairs);
  return {
    options,
    destroy() {
      options.destroy();
      events.free(0, info);
    },
    destroySearched() {
      options.destroySearched();
      events.free(0, info);
    },
  };
}

export interface Image extends MagickObject {
  readonly artifacts: TextTree;
  /** As `destroy`, where its properties have been looked at: it has been written. */
  destroySearched(): void;
}

/** An Image without pixels of its own: a clone shares those of its original. */
export function createImage(events: EventBuilder, options: readonly TextPair[]): Image {
  const image = events.malloc(0, 13248);
  const properties = createTree(events, [
    [26, 12],
    [26, 12],
    [2, 16],
    [12, 21],
  ]);
  const artifacts = createTree(events, options);
  const exceptions = events.malloc(0, 56);
  const locks = [semaphore(events), semaphore(events)];
  const profiles = events.malloc(0, 288);
  const imageLocks = [semaphore(events), semaphore(events)];
  const freeRest = () => {
    artifacts.destroy();
    freeAll(events, [imageLocks[0]!, profiles, locks[0]!, exceptions, locks[1]!, imageLocks[1]!, image]);
  };
  return {
    artifacts,
    destroy() {
      properties.destroy();
      freeRest();
    },
    destroySearched() {
      properties.destroySearched();
      freeRest();
    },
  };
}

export interface PixelImage extends Image {
  readonly columns: number;
  readonly rows: number;
  readonly pixels: BlockId;
}

/** An Image with its pixel cache; `nexuses` is the limit of threads. */
export function createImageWithPixels(
  events: EventBuilder,
  columns: number,
  rows: number,
  nexuses: number,
): PixelImage {
  const image = createImage(events, [FILTER_OPTION, LIMIT_OPTION]);
  const cache = events.memalign(0, CACHE_LINE, 8568);
  const nexusTable = createNexuses(events, nexuses);
  passException(events);
  const locks = [semaphore(events), semaphore(events)];
  const pixels = events.memalign(0, CACHE_LINE, columns * rows * PIXEL_BYTES);
  const freePixels = () => {
    events.free(0, pixels);
    nexusTable.destroy();
    freeAll(events, [locks[1]!, locks[0]!, cache]);
  };
  return {
    artifacts: image.artifacts,
    columns,
    rows,
    pixels,
    destroy() {
      freePixels();
      image.destroy();
    },
    destroySearched() {
      freePixels();
      image.destroySearched();
    },
  };
}

/** A nexus for each thread that may look into a cache: pointers, and the structures themselves. */
function createNexuses(events: EventBuilder, nexuses: number): MagickObject {
  const pointers = events.memalign(0, CACHE_LINE, 16 * nexuses);
  const structures = events.malloc(0, 192 * nexuses);
  return { destroy: () => freeAll(events, [structures, pointers]) };
}

/** Threads look into an image through a view; pixels that do not lie in one piece are staged in a buffer of the thread. */
export interface CacheView extends MagickObject {
  /** A region of the image for a thread of the team; its buffer only ever grows. */
  stage(member: number, thread: number, columns: number, rows: number): BufferChange;
}

/** The calls that a staging takes, each a step of its own. */
export type BufferChange = readonly (() => void)[];

export function createCacheView(
  events: EventBuilder,
  image: { readonly columns: number; readonly rows: number },
  nexuses: number,
): CacheView {
  const view = events.memalign(0, CACHE_LINE, 48);
  const nexusTable = createNexuses(events, nexuses);
  const buffers: (BlockId | undefined)[] = [];
  const lengths: number[] = [];
  return {
    stage(member, thread, columns, rows) {
      // A buffer has room for a row or a column at least.
      const bytes = Math.max(columns * rows, image.columns, image.rows) * PIXEL_BYTES;
      if (bytes <= (lengths[member] ?? 0)) return [];
      const acquire = () => {
        buffers[member] = events.memalign(thread, CACHE_LINE, bytes);
        lengths[member] = bytes;
      };
      const old = buffers[member];
      return old === undefined ? [acquire] : [() => events.free(thread, old), acquire];
    },
    destroy() {
      for (const buffer of buffers) if (buffer !== undefined) events.free(0, buffer);
      nexusTable.destroy();
      events.free(0, view);
    },
  };
}

/** libjpeg, around its buffers: `prologue` blocks are small or constant, `coefficients` only when it writes optimised. */
export function jpegBuffers(events: EventBuilder, width: number, height: number, writing: boolean): void {
  const POOL_BYTES = 55; // a pool's header, and what aligns it
  const paddedWidth = Math.ceil(width / 64) * 64;
  const coefficientBytes = 2 * (Math.ceil(width / 8) * 8) * (Math.ceil(height / 8) * 8);
  const state = [events.malloc(0, 168), events.malloc(0, writing ? 16119 : 16151)];
  if (writing) {
    const view = createCacheView(events, { columns: width, rows: height }, 32);
    view.destroy();
    state.push(events.malloc(0, 2615));
    const profile = [80, 4099, 4099, 4099, 4, 4, 4, 4, 4, 4, 4].map((bytes) => events.malloc(0, bytes));
    freeAll(events, [...profile.slice(1), profile[0]!]);
  }
  state.push(events.malloc(0, 21439));
  const components = [0, 1, 2];
  const pools = writing ? components.map(() => events.malloc(0, paddedWidth + POOL_BYTES)) : [];
  pools.push(...components.map(() => events.malloc(0, 8 * paddedWidth + POOL_BYTES)));
  if (writing) pools.push(...components.map(() => events.malloc(0, coefficientBytes + POOL_BYTES)));
  const quantum = [events.memalign(0, CACHE_LINE, 4128), events.memalign(0, CACHE_LINE, 3 * width)];
  freeAll(events, pools.reverse());
  const [first, input, ...tables] = state;
  freeAll(events, [input!, ...tables.reverse(), first!, ...quantum.reverse()]);
}
