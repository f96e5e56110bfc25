import type { BlockId, EventBuilder } from '../builder.ts';

/** What a producer has handed to its consumers: `block` is its own again when they have marked it. */
export interface HandedOver {
  readonly block: BlockId;
  isDone: boolean;
}

/**
 * The producer waits until the oldest of what it has handed over is done, and frees its block. Where threads run at their own pace that free
 * waits for the consumer's mark, a write: nothing else in a trace makes one thread wait for another one's progress.
 */
export function* takeBack(events: EventBuilder, thread: number, handedOver: HandedOver[]): Generator<void> {
  const oldest = handedOver.shift()!;
  while (!oldest.isDone) yield;
  events.free(thread, oldest.block);
  yield;
}

/** The consumer is done. */
export function* mark(events: EventBuilder, thread: number, handedOver: HandedOver, bytes: number): Generator<void> {
  events.write(thread, handedOver.block, 0, bytes);
  handedOver.isDone = true;
  yield;
}
