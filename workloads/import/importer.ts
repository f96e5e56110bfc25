import type { AddressTrace } from './address-trace.ts';

/** The log of another tool, line by line. Adding one takes a file that exports such an object and one line in index.ts. */
export interface Importer {
  /** As in `sim trace import --format`. */
  readonly name: string;
  readonly about: string;
  /** Whether a log that begins with this line is one of this kind. */
  readonly begins: (line: string) => boolean;
  /** Gives each line to `trace`; `place` stands before messages about the line. */
  readonly create: (trace: AddressTrace) => (line: string, place: string) => void;
}
