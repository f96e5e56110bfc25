import { createRandom, type Random } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { FIFTEEN_SIZES, type ImageSize, imageSizes, imageSizesParameter } from './image-sizes.ts';
import {
  type CacheView,
  createCacheView,
  createException,
  createImage,
  createImageInfo,
  createImageWithPixels,
  FILTER_OPTION,
  freeAll,
  type Image,
  jpegBuffers,
  LIMIT_OPTION,
  type MagickObject,
  PIXEL_BYTES,
  type PixelImage,
  passException,
  type TextPair,
} from './imagemagick.ts';
import { createOpenMp, type OpenMp, staticShare } from './openmp.ts';

/** The Lanczos window has three lobes. */
const LOBES = 3;
/** How long things took where it was recorded, on two processors; a column's pixels are far apart, so it takes longer. */
const NS_PER_TAP_VERTICAL = 0.7;
const NS_PER_TAP_HORIZONTAL = 1.8;
const NS_PER_PIXEL_READ = 20;
const NS_PER_PIXEL_WRITTEN = 25;

/**
 * What ImageMagick 6 really does for `convert in.jpg ( +clone -filter Lanczos -resize WxH! -write out.jpg +delete ) …`.
 * A resize has two passes, vertical first unless the width changes by the larger factor. No buffer is allocated per row: each thread of the
 * horizontal pass stages what it reads and writes in two buffers, which it keeps for the pass and the main thread frees.
 * The team is as large as the rows or columns of the pass are many. Everything else, and all pixel caches, is the main
 * thread's; so what stays behind lies in the main heap.
 */
export const lanczosIm6 = defineWorkload({
  name: 'lanczos-im6',
  about: 'the same fifteen resizes as ImageMagick 6 really does them: teams by the rows, staging buffers per pass',
  parameters: {
    limit: numberParameter(32, 'threads', 'that a team may have at most (MAGICK_THREAD_LIMIT)', { min: 1, max: 4096 }),
    width: numberParameter(3840, 'pixels', 'of the source image', { min: 1, max: 65536 }),
    height: numberParameter(2160, 'pixels', 'of the source image', { min: 1, max: 65536 }),
    sizes: imageSizesParameter(FIFTEEN_SIZES, 'to make, one after the other'),
    seed: seedParameter(),
    start: startParameter('serial'),
  },
  cpus: () => 2,
  *generate({ limit, width, height, sizes, seed }) {
    const targets = imageSizes(sizes);
    const events = createEventBuilder({
      name: `lanczos-im6 ${width}x${height} to ${targets.length} sizes, limit ${limit} threads`,
      rows: 4000 + targets.length * (1200 + 12 * limit),
    });
    const openMp = createOpenMp(events, createRandom(seed, 'lanczos-im6/schedule'));
    let options: readonly TextPair[] = [FILTER_OPTION];
    const start = createRandom(seed, 'lanczos-im6/start');
    const program = startProgram(events, start, 0, EARLY_SHARE);
    let settings = [createImageInfo(events, options)];
    const reading = [createImageInfo(events, options), createImageInfo(events, options)];
    program.push(...startProgram(events, start, EARLY_SHARE, 1));
    const source = { columns: width, rows: height };
    const original = readJpeg(events, source, limit);
    events.sample('read');
    for (const info of reading.reverse()) info.destroy();
    settings.push(createImageInfo(events, options));
    let previous: Image | undefined;
    for (const target of targets) {
      yield;
      if (previous) deleteImage(events, previous, options);
      settings[0]!.destroy();
      const outer = createImageInfo(events, options);
      settings[1]!.destroy();
      settings = [outer, createImageInfo(events, options)];
      const listed = createImage(events, [FILTER_OPTION]);
      const clone = createImage(events, [FILTER_OPTION]);
      clone.artifacts.put(0, FILTER_OPTION);
      if (options.length > 1) clone.artifacts.put(1, LIMIT_OPTION);
      listed.destroy();
      previous = resize(events, openMp, clone, { source, target, limit, options });
      events.sample(`size-${target.width}x${target.height}`);
      writeJpeg(events, previous, target, options);
      events.sample(`written-${target.width}x${target.height}`);
      settings[1]!.options.put(1, LIMIT_OPTION);
      // The limit becomes an option with the first resize.
      options = [FILTER_OPTION, LIMIT_OPTION];
      settle(events, options);
    }
    if (previous) deleteImage(events, previous, options);
    for (const info of settings) info.destroy();
    original.destroy();
    events.sample('idle');
    freeAll(events, program.reverse());
    events.sample('end');
    return events.finish();
  },
});

/** Sizes and counts of what lives from the start to the end: configuration, formats, colours, options, locale. */
const PROGRAM_BLOCKS: readonly (readonly [number, number])[] = [
  [56, 200],
  [32, 190],
  [16, 140],
  [80, 120],
  [4, 90],
  [8, 80],
  [7, 54],
  [5, 51],
  [64, 49],
  [2, 40],
  [72, 37],
  [30, 40],
  [9, 17],
  [48, 13],
  [20, 60],
  [40, 45],
  [152, 6],
  [504, 2],
  [1008, 2],
  [1600, 1],
  [2048, 1],
  [6144, 1],
  [13248, 1],
  [16384, 1],
  [16800, 1],
  [72704, 1], // the C++ library's emergency pool
];
/** So much of it is there before the command line is looked at. */
const EARLY_SHARE = 0.4;
/** Of a hundred blocks so many are followed by a scratch block that goes at once: lines and tokens of the files read. */
const SCRATCH_PERCENT = 33;

/** A part of the program's start, from one share of its blocks to another. */
function startProgram(events: EventBuilder, random: Random, from: number, to: number): BlockId[] {
  const sizes = PROGRAM_BLOCKS.flatMap(([size, count]) => {
    const left = Math.round(count * to) - Math.round(count * from);
    return Array.from({ length: left }, () => size);
  });
  const blocks: BlockId[] = [];
  for (let left = sizes.length; left > 0; left--) {
    const i = random.integer(0, left - 1);
    blocks.push(events.malloc(0, sizes[i]!));
    sizes[i] = sizes[left - 1]!;
    if (random.integer(0, 99) < SCRATCH_PERCENT) events.free(0, events.malloc(0, random.octaves(8, 4096)));
  }
  return blocks;
}

function readJpeg(events: EventBuilder, { columns, rows }: Extent, limit: number): MagickObject {
  const image = createImageWithPixels(events, columns, rows, limit);
  jpegBuffers(events, columns, rows, false);
  events.clock(columns * rows * NS_PER_PIXEL_READ);
  return image;
}

/** Between two commands of the line their settings are made and dropped. */
function settle(events: EventBuilder, options: readonly TextPair[]): void {
  const info = createImageInfo(events, options);
  const drawInfo = events.malloc(0, 840);
  const drawImageInfo = createImageInfo(events, options);
  passException(events);
  events.free(0, events.malloc(0, 48));
  drawImageInfo.destroy();
  events.free(0, drawInfo);
  info.destroy();
}

/** `+delete`: the last result goes, pixels first. */
function deleteImage(events: EventBuilder, image: Image, options: readonly TextPair[]): void {
  const info = createImageInfo(events, options);
  const list = [events.malloc(0, 48), events.malloc(0, 4)];
  image.destroySearched();
  freeAll(events, list.reverse());
  info.destroySearched();
}

interface Extent {
  readonly columns: number;
  readonly rows: number;
}

interface ResizeJob {
  readonly source: Extent;
  readonly target: ImageSize;
  readonly limit: number;
  readonly options: readonly TextPair[];
}

/** ResizeImage: the result, an image between the two passes, and all that a command of the line makes around it. */
function resize(events: EventBuilder, openMp: OpenMp, clone: Image, job: ResizeJob): PixelImage {
  const { source, target, limit, options } = job;
  const { width, height } = target;
  const commandInfo = createImageInfo(events, options);
  const drawInfo = events.malloc(0, 840);
  const drawImageInfo = createImageInfo(events, options);
  passException(events);
  const geometry = events.malloc(0, 48);
  drawImageInfo.options.put(1, LIMIT_OPTION);
  clone.artifacts.put(0, FILTER_OPTION);
  clone.artifacts.put(1, LIMIT_OPTION);
  const filter = events.malloc(0, 120);

  const horizontalFirst = width / source.columns > height / source.rows;
  const between = horizontalFirst ? { columns: width, rows: source.rows } : { columns: source.columns, rows: height };
  const result = createImageWithPixels(events, width, height, limit);
  const intermediate = createImageWithPixels(events, between.columns, between.rows, limit);
  if (horizontalFirst) {
    filterHorizontally(events, openMp, source, intermediate, limit);
    filterVertically(events, openMp, between, result, limit);
  } else {
    filterVertically(events, openMp, source, intermediate, limit);
    filterHorizontally(events, openMp, between, result, limit);
  }
  intermediate.destroy();
  events.free(0, filter);

  clone.destroy();
  events.free(0, geometry);
  drawImageInfo.destroy();
  events.free(0, drawInfo);
  commandInfo.destroy();
  return result;
}

/** Rows or columns from which on a team is as large as it may be. */
const FULL_TEAM = 8192;

/** Threads for so many rows or columns. */
function teamSize(iterations: number, limit: number): number {
  if (iterations >= FULL_TEAM) return limit;
  return Math.max(1, Math.min(limit, Math.floor(1 + ((iterations - 128) * (limit - 1)) / (FULL_TEAM - 1))));
}

/** The contributing pixels around one pixel of the result, along one axis. */
interface Kernel {
  readonly support: number;
  readonly factor: number;
  readonly length: number;
}

/** MagickEpsilon: where the factor is whole, it is what takes in one pixel more. */
const EPSILON = 1e-12;

function kernel(from: number, to: number): Kernel {
  const factor = to / from;
  return { support: Math.max(1, 1 / factor + EPSILON) * LOBES, factor, length: from };
}

function taps({ support, factor, length }: Kernel, position: number): number {
  const centre = (position + 0.5) / factor + EPSILON;
  const start = Math.floor(Math.max(centre - support + 0.5, 0));
  return Math.floor(Math.min(centre + support + 0.5, length)) - start;
}

/** Views, and for each thread that there may be a table of contributions; `body` runs between coming and going. */
function pass(
  events: EventBuilder,
  { support }: Kernel,
  images: { readonly from: Extent; readonly to: Extent },
  limit: number,
  body: (reading: CacheView, writing: CacheView) => void,
): void {
  const CONTRIBUTION_BYTES = 16;
  const tableBytes = Math.floor(2 * support + 3) * CONTRIBUTION_BYTES;
  const pointers = events.malloc(0, 8 * limit);
  const tables = Array.from({ length: limit }, () => events.memalign(0, 64, tableBytes));
  const reading = createCacheView(events, images.from, limit);
  const writing = createCacheView(events, images.to, limit);
  body(reading, writing);
  writing.destroy();
  reading.destroy();
  freeAll(events, tables);
  events.free(0, pointers);
}

/**
 * A member's share of the image that a pass makes, in bytes; of it the first row when the member starts, the rest when it
 * is done. Where threads run at their own pace, these writes fork and join the team: they wait for the block, and its
 * free waits for them.
 */
function share(image: PixelImage, size: number, member: number) {
  const { first, last } = staticShare(image.rows, size, member);
  const rowBytes = image.columns * PIXEL_BYTES;
  const start = Math.min(last, first + 1);
  return { offset: first * rowBytes, start: (start - first) * rowBytes, rest: (last - start) * rowBytes };
}

/** Whole rows lie in one piece in the cache: nothing is staged. */
function filterVertically(events: EventBuilder, openMp: OpenMp, from: Extent, to: PixelImage, limit: number): void {
  const rows = kernel(from.rows, to.rows);
  const size = teamSize(to.rows, limit);
  pass(events, rows, { from, to }, limit, () => {
    openMp.parallel(size, function* (member, thread) {
      const { offset, start, rest } = share(to, size, member);
      events.write(thread, to.pixels, offset, start);
      yield;
      events.write(thread, to.pixels, offset + start, rest);
      yield;
    });
    events.clock(Math.round(to.columns * to.rows * 2 * rows.support * NS_PER_TAP_VERTICAL));
  });
}

/** Each column is made of a few columns of the source: read and written through staging buffers. */
function filterHorizontally(events: EventBuilder, openMp: OpenMp, from: Extent, to: PixelImage, limit: number): void {
  const columns = kernel(from.columns, to.columns);
  const size = teamSize(to.columns, limit);
  pass(events, columns, { from, to }, limit, (reading, writing) => {
    openMp.parallel(size, function* (member, thread) {
      const { offset, start, rest } = share(to, size, member);
      events.write(thread, to.pixels, offset, start);
      yield;
      const { first, last } = staticShare(to.columns, size, member);
      for (let x = first; x < last; x++) {
        const calls = [
          ...reading.stage(member, thread, taps(columns, x), from.rows),
          ...writing.stage(member, thread, 1, to.rows),
        ];
        for (const call of calls) {
          call();
          yield;
        }
      }
      events.write(thread, to.pixels, offset + start, rest);
      yield;
    });
    events.clock(Math.round(to.columns * to.rows * 2 * columns.support * NS_PER_TAP_HORIZONTAL));
  });
}

/** A temporary folder, before the size that the file is named by. */
const PATH_PREFIX_BYTES = 20;

/** `-write`: three sets of settings, file names looked at many times over, and the encoder. */
function writeJpeg(events: EventBuilder, image: Image, size: ImageSize, options: readonly TextPair[]): void {
  const { width, height } = size;
  const pathBytes = PATH_PREFIX_BYTES + `${width}x${height}`.length;
  const infos = [createImageInfo(events, options)];
  const list = events.malloc(0, 48);
  infos[0]!.options.put(1, LIMIT_OPTION);
  image.artifacts.put(0, FILTER_OPTION);
  image.artifacts.put(1, LIMIT_OPTION);
  const known = [FILTER_OPTION, LIMIT_OPTION];
  infos.push(createImageInfo(events, known), createImageInfo(events, known));
  const outer = createException(events);
  passException(events);
  outer.destroy();
  const inner = createException(events);
  const probe = createImageInfo(events, known);
  passException(events);
  inner.destroy();
  const lookAtName = () => {
    passException(events);
    passException(events);
    freeAll(events, [events.malloc(0, 13), events.malloc(0, pathBytes), events.malloc(0, pathBytes)]);
  };
  const lookIntoFile = () => {
    passException(events);
    const file = [events.malloc(0, 472), events.malloc(0, 4096)];
    lookAtName();
    return file.reverse();
  };
  lookAtName();
  lookAtName();
  freeAll(events, lookIntoFile());
  for (let i = 0; i < 2; i++) passException(events);
  for (let i = 0; i < 2; i++) lookAtName();
  const file = lookIntoFile();
  jpegBuffers(events, width, height, true);
  events.clock(width * height * NS_PER_PIXEL_WRITTEN);
  freeAll(events, file);
  probe.destroy();
  infos.pop()!.destroy();
  infos.pop()!.destroy();
  events.free(0, list);
  infos.pop()!.destroy();
}
