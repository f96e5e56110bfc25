import type { EventBuffer } from '../../sim/contract/event.ts';

/** Takes the bytes of a trace, in whatever form, and gives its events. */
export interface TraceInput {
  /** The next bytes; they may end anywhere and are not kept. */
  push(chunk: Uint8Array): void;
  /** Where they best lie for it, in place of any other memory. */
  readonly room?: Uint8Array | undefined;
  /** Says that the input broke off instead of coming to its end. */
  cutOff(found: string, expected: string): void;
  finish(): EventBuffer;
}
