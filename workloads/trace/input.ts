import type { EventBuffer } from '../../sim/contract/event.ts';
import type { LexedChunk } from './lexed-chunk.ts';

/** Takes the bytes of a trace, in whatever form, and gives its events. */
export interface TraceInput {
  /** The next bytes; they may end anywhere and are not kept. */
  push(chunk: Uint8Array): void;
  /** Says that the input broke off instead of coming to its end. */
  cutOff(found: string, expected: string): void;
  finish(): EventBuffer;
}

/** The text form. */
export interface TextInput extends TraceInput {
  /** The next lines, all whole, where the last bytes ended with a line and the header has come. They are not kept. */
  pushLexed(chunk: LexedChunk): void;
}
