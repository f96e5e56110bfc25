import type fc from 'fast-check';

/** One kind of input, and what must hold for all of it. */
export interface Area<T = unknown> {
  readonly name: string;
  readonly inputs: fc.Arbitrary<T>;
  /** Where there are so few inputs that a long run has every one of them, in the order of its batches. */
  readonly every?: readonly T[];
  /** False for what need not end the same way each time; without it, all does. */
  isRepeatable?(input: T): boolean;
  /** Processor time of this machine, beyond what any input may take, that goes into what this one asks for; measured. */
  allowanceMs?(input: T): Promise<number>;
  /** Throws for what must not happen; what is refused in one line is fine. */
  check(input: T): Promise<void>;
  /** The input as a file that shows the fault again. */
  bytesOf(input: T): Uint8Array;
}

export function defineArea<T>(area: Area<T>): Area {
  return area as Area;
}
