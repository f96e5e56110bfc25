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

/** A splay tree of texts: pairs of key and value. */
export interface TextTree extends MagickObject {
  add(key: number, value: number): void;
  /** An entry gets new texts; the old ones go then. */
  set(index: number, key: number, value: number): void;
}

function createTree(events: EventBuilder, pairs: readonly (readonly [number, number])[]): TextTree {
  const tree = events.malloc(0, 88);
  const lock = semaphore(events);
  const entries: { texts: readonly BlockId[]; node: BlockId }[] = [];
  const texts = (key: number, value: number) => [events.malloc(0, key), events.malloc(0, value)];
  const add = (key: number, value: number) => entries.push({ texts: texts(key, value), node: events.malloc(0, 32) });
  for (const [key, value] of pairs) add(key, value);
  return {
    add,
    set(index, key, value) {
      const old = entries[index]!.texts;
      entries[index]!.texts = texts(key, value);
      freeAll(events, old);
    },
    destroy() {
      // The texts of an entry go one step before the node of the entry behind it.
      for (let i = entries.length - 1; i >= 0; i--) {
        freeAll(events, entries[i]!.texts);
        if (i + 1 < entries.length) events.free(0, entries[i + 1]!.node);
      }
      if (entries.length > 0) events.free(0, entries[0]!.node);
      freeAll(events, [lock, tree]);
    },
  };
}

/** The options of the command line, filter and thread limit, as settings and in images. */
export const FILTER_OPTION = [8, 9] as const;
export const LIMIT_OPTION = [8, 7] as const;

export interface ImageInfo extends MagickObject {
  readonly options: TextTree;
}

/** An ImageInfo with the options of the command line. */
export function createImageInfo(events: EventBuilder): ImageInfo {
  const info = events.malloc(0, 16800);
  passException(events);
  const options = createTree(events, [FILTER_OPTION, LIMIT_OPTION]);
  return {
    options,
    destroy() {
      options.destroy();
      events.free(0, info);
    },
  };
}

export interface Image extends MagickObject {
  readonly artifacts: TextTree;
}

/** An Image without pixels of its own: a clone shares those of its original. */
export function createImage(events: EventBuilder, options: readonly (readonly [number, number])[]): Image {
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
  return {
    artifacts,
    destroy() {
      properties.destroy();
      artifacts.destroy();
      freeAll(events, [imageLocks[0]!, profiles, locks[0]!, exceptions, locks[1]!, imageLocks[1]!, image]);
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
  return {
    artifacts: image.artifacts,
    columns,
    rows,
    pixels,
    destroy() {
      events.free(0, pixels);
      nexusTable.destroy();
      freeAll(events, [locks[1]!, locks[0]!, cache]);
      image.destroy();
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
    const tables = [events.malloc(0, 2615), events.malloc(0, 80)];
    const profile = [4099, 4099, 4099, 4, 4, 4, 4, 4, 4, 4].map((bytes) => events.malloc(0, bytes));
    freeAll(events, profile);
    events.free(0, tables.pop()!);
    state.push(...tables);
  }
  state.push(events.malloc(0, 21439));
  const components = [0, 1, 2];
  const pools = writing ? components.map(() => events.malloc(0, paddedWidth + POOL_BYTES)) : [];
  pools.push(...components.map(() => events.malloc(0, 8 * paddedWidth + POOL_BYTES)));
  if (writing) pools.push(...components.map(() => events.malloc(0, coefficientBytes + POOL_BYTES)));
  const quantum = [events.memalign(0, CACHE_LINE, 4128), events.memalign(0, CACHE_LINE, 3 * width)];
  freeAll(events, pools.reverse());
  freeAll(events, [...state.slice(1), state[0]!, ...quantum.reverse()]);
}
