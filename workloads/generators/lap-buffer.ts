import type { BlockId, EventBuilder } from '../builder.ts';

/**
 * The buffer of pointers of MicroQuill's shbench: filled from its beginning to its end, lap after lap. At the end of a lap a fifth of it is kept for the next
 * one, each time the next fifth; what lies below is freed in the order in which it was allocated, what lies above from the end backwards.
 *
 *   0        keepFrom      keepTo          size
 *   │ freed → │    kept     │ ←  freed      │
 */
export class LapBuffer {
  private readonly blocks: (BlockId | undefined)[];
  private at = 0;
  private keepFrom: number;
  private keepTo: number;

  private readonly events: EventBuilder;
  private readonly thread: number;

  constructor(events: EventBuilder, thread: number, size: number) {
    this.events = events;
    this.thread = thread;
    this.blocks = new Array<BlockId | undefined>(size);
    this.keepFrom = size;
    this.keepTo = size;
  }

  /** Whether the next block would lie behind the end: time for `endLap`. */
  get isFull(): boolean {
    return this.at >= this.blocks.length;
  }

  /** The next free place, beyond what is kept. */
  skipKept(): void {
    if (this.at === this.keepFrom) this.at = this.keepTo;
  }

  /** A block that is still there is forgotten, as in the original: it is never freed. */
  push(block: BlockId): void {
    this.blocks[this.at++] = block;
  }

  /** Frees all but the next fifth. */
  *endLap(): Generator<void> {
    const size = this.blocks.length;
    this.keepFrom = this.keepTo >= size ? 0 : this.keepTo;
    this.keepTo = Math.min(size, this.keepFrom + Math.floor(size / 5));
    for (let i = 0; i < this.keepFrom; i++) yield* this.free(i);
    for (let i = size - 1; i >= this.keepTo; i--) yield* this.free(i);
    this.at = 0;
  }

  /** Frees what lies below the place that would be filled next. */
  *finish(): Generator<void> {
    for (let i = 0; i < this.at; i++) yield* this.free(i);
  }

  private *free(i: number): Generator<void> {
    const block = this.blocks[i];
    if (block === undefined) return;
    this.blocks[i] = undefined;
    this.events.free(this.thread, block);
    yield;
  }
}
