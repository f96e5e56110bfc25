import type { Allocator, AllocatorOptions, RequestAllocator } from '../sim/contract/allocator.ts';
import type { KernelOptions } from '../sim/kernel/kernel.ts';
import type { Machine } from '../sim/kernel/machine.ts';

export type OptionValue = AllocatorOptions[string];
export type OptionValues = AllocatorOptions;

/** One option under the real allocator's own name. */
export interface OptionDescriptor {
  readonly name: string;
  readonly kind: 'integer' | 'bytes' | 'boolean' | 'choice' | 'string';
  /** Unit as shown to people: 'bytes', 'ms', 'log2', 'chunks', ''. */
  readonly unit: string;
  /** What the real one uses when nothing is said; a function where it depends on the machine or the version. */
  readonly default: OptionValue | ((context: { readonly version: string; readonly cpus: number }) => OptionValue);
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Those of the model's that have it; absent: all. */
  readonly versions?: readonly string[];
  /** One line for `sim list options`. */
  readonly about: string;
}

/** A text that one of the real allocator's own tools would print, for `sim inspect`. */
export interface ModelView {
  /** As in `sim inspect NAME …`: malloc_info, stats_print. */
  readonly name: string;
  readonly about: string;
  readonly render: (allocator: Allocator) => string;
}

/** What is known of a program and its machine before it runs. */
export interface ProgramKind {
  readonly thp: KernelOptions['thp'];
  readonly cpus: number;
  /** Most at a time; Infinity where the system may refuse memory, so that an allocator tries things that it never does else. */
  readonly threads: number;
}

/** An allocator as the registry knows it. Adding one takes one file that exports such an object and one line in index.ts. */
export interface AllocatorModel {
  /** As in `--allocator=NAME`. */
  readonly name: string;
  /** Newest first; the first is what NAME alone means. */
  readonly versions: readonly string[];
  readonly about: string;
  readonly options: readonly OptionDescriptor[];
  /** Loads the code of a version, where it is not there from the beginning: `create` and the views need it. */
  readonly load?: (version: string) => Promise<void>;
  /**
   * `options` holds every option, defaults filled in; `given` those alone that were named. `below` is given to models that
   * serve e… events above another allocator (`zendmm+glibc`).
   */
  readonly create: (
    machine: Machine,
    version: string,
    options: OptionValues,
    below: Allocator | undefined,
    given?: OptionValues,
  ) => Allocator | RequestAllocator;
  /**
   * A text that two lists of given options share only where every run of such a program is the same under both. May be left out: then all
   * that is known is that equal options are the same.
   */
  readonly startingState?: (version: string, given: OptionValues, program: ProgramKind) => string;
  /**
   * A machine that was made for one of two such lists of options can be used again for the other (Allocator.configure) where this text is the same for
   * both. May be left out: then options have to be equal.
   */
  readonly shape?: (version: string, options: OptionValues, given: OptionValues, program: ProgramKind) => string;
  /** True where `create` needs `below`. */
  readonly layered: boolean;
  readonly views: readonly ModelView[];
}
