import { createRandom } from '../../sim/contract/random.ts';
import { type BlockId, createEventBuilder, type EventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter, seedParameter, startParameter } from '../workload.ts';
import { FIFTEEN_SIZES, type ImageSize, imageSizes, imageSizesParameter } from './image-sizes.ts';
import { interleave } from './interleave.ts';

/** Four channels of 16 bits. */
const PIXEL_BYTES = 8;
/** Virtual time between two steps of the team. */
const STEP_NS = 400;
/** Steps between two advances of the clock: often enough for whatever an allocator does by time. */
const STEPS_PER_CLOCK = 64;

/**
 * The image job as the article on PHP workers with 64 MiB arenas tells it, whatever ImageMagick really does (that is
 * `lanczos-im6`): for each of fifteen sizes a team of threads goes over the rows of the source, a block of rows each,
 * and takes a contribution buffer, a source row and a destination row for each row, all as wide as the wider image. The
 * pixel caches are the main thread's. Between sizes the threads are parked and keep their arenas.
 *
 * Each thread writes its share of the result, one row when it starts and the rest when it is done. These writes are what
 * forks and joins the team where threads run at their own pace: a write waits for the block, its free for the writes.
 */
export const lanczos32t = defineWorkload({
  name: 'lanczos-32t',
  about: 'an image resampled to fifteen sizes by 32 OpenMP threads with buffers per row, as the article tells it',
  parameters: {
    threads: numberParameter(32, 'threads', 'in the team, beside the main thread', { min: 1, max: 4096 }),
    width: numberParameter(3840, 'pixels', 'of the source image', { min: 1, max: 65536 }),
    height: numberParameter(2160, 'pixels', 'of the source image', { min: 1, max: 65536 }),
    sizes: imageSizesParameter(FIFTEEN_SIZES, 'to make, one after the other'),
    requests: numberParameter(1, 'requests', 'one after the other, by the same threads', { min: 1, max: 100000 }),
    seed: seedParameter(),
    start: startParameter('serial'),
  },
  cpus: ({ threads }) => threads,
  *generate({ threads, width, height, sizes, requests, seed }) {
    const targets = imageSizes(sizes);
    const events = createEventBuilder({
      name: `lanczos-32t ${width}x${height} to ${targets.length} sizes, ${threads} threads, ${requests} requests`,
      rows: requests * targets.length * (6 * height + 2 * threads + 64) + 2 * threads,
    });
    const random = createRandom(seed, 'lanczos-32t/schedule');
    for (let t = 1; t <= threads; t++) events.threadBegin(t);
    for (let request = 1; request <= requests; request++) {
      const source = events.malloc(0, width * height * PIXEL_BYTES);
      for (const target of targets) {
        const result = events.malloc(0, target.width * target.height * PIXEL_BYTES);
        yield* resample(events, threads, { width, height }, target, result, (runnable) =>
          random.integer(0, runnable - 1),
        );
        events.free(0, result);
        events.sample(`size-${target.width}x${target.height}`);
      }
      events.free(0, source);
      events.sample(`request-${request}`);
    }
    return events.finish();
  },
});

/** schedule(static): thread t has the t-th block of rows. In file order the threads take turns as `draw` says. */
function* resample(
  events: EventBuilder,
  threads: number,
  source: ImageSize,
  target: ImageSize,
  result: BlockId,
  draw: (runnable: number) => number,
): Generator<void> {
  const bufferBytes = Math.max(source.width, target.width) * PIXEL_BYTES;
  let steps = 0;
  const team = Array.from({ length: threads }, (_, i) => {
    const first = Math.floor((i * source.height) / threads);
    const last = Math.floor(((i + 1) * source.height) / threads);
    const share = rowShare(i, threads, target);
    return rowsOf(events, i + 1, last - first, bufferBytes, result, share);
  });
  yield* interleave(team, draw, () => {
    if (++steps % STEPS_PER_CLOCK === 0) events.clock(STEP_NS * STEPS_PER_CLOCK);
  });
}

/** What one thread writes of the result, in bytes. */
interface Share {
  readonly offset: number;
  readonly rowBytes: number;
  readonly length: number;
}

function rowShare(i: number, threads: number, target: ImageSize): Share {
  const rowBytes = target.width * PIXEL_BYTES;
  const first = Math.floor((i * target.height) / threads);
  const last = Math.floor(((i + 1) * target.height) / threads);
  return {
    offset: first * rowBytes,
    rowBytes: Math.min(rowBytes, (last - first) * rowBytes),
    length: (last - first) * rowBytes,
  };
}

/** One thread's rows; every call is a step between which other threads may run. */
function* rowsOf(
  events: EventBuilder,
  thread: number,
  rows: number,
  bufferBytes: number,
  result: BlockId,
  { offset, rowBytes, length }: Share,
): Generator<void> {
  events.write(thread, result, offset, rowBytes);
  yield;
  for (let row = 0; row < rows; row++) {
    const contribution = events.malloc(thread, bufferBytes);
    yield;
    const sourceRow = events.malloc(thread, bufferBytes);
    yield;
    const targetRow = events.malloc(thread, bufferBytes);
    yield;
    events.free(thread, targetRow);
    yield;
    events.free(thread, sourceRow);
    yield;
    events.free(thread, contribution);
    yield;
  }
  events.write(thread, result, offset + rowBytes, length - rowBytes);
  yield;
}
