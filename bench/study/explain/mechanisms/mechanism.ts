import type { EventBuffer } from '../../../../sim/contract/event.ts';
import type { Bytes, Ns } from '../../../../sim/contract/units.ts';
import type { Assembled } from '../../../run/machine.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import type { Paste } from '../../paste.ts';
import type { Facts } from '../explanation.ts';
import type { Demand } from '../heap/demand.ts';
import type { Experiment } from '../heap/experiment.ts';
import type { LiveBlock } from '../heap/live-blocks.ts';
import type { Setting } from '../settings/setting.ts';

/** What a mechanism is told: the machine at the moment that is judged, and what was found there. */
export interface Situation {
  readonly facts: Facts;
  readonly assembled: Assembled;
  readonly experiment: Experiment;
  readonly blocks: readonly LiveBlock[];
  readonly options: RunOptions;
  readonly events: EventBuffer;
  readonly demand: Demand;
  /** Rows executed. */
  readonly end: number;
  readonly rssPeakBytes: Bytes;
  readonly failedAllocations: number;
}

/** What only the same program, run otherwise, can tell of a finding. Plain data: whoever looks at the machine asks, and it is run beside the settings. */
export type OtherRuns = AtPaces | WithoutTrims;

/** At these paces of the recorded clock; pauses from `keptFromNs` on stay as long as they were. */
export interface AtPaces {
  readonly paces: readonly number[];
  readonly keptFromNs?: Ns;
  /** Before what they leave. */
  readonly lead: string;
  /** Said where what is resident lies so far apart. */
  readonly leastBytes: Bytes;
}

/** Without the program's own calls of malloc_trim. */
export interface WithoutTrims {
  readonly trims: number;
}

/** A mechanism that is at work. */
export interface Finding {
  readonly mechanism: string;
  /** Resident bytes that it accounts for; 0 where it costs time and no memory. */
  readonly bytes: Bytes;
  /** With their figures. */
  readonly sentences: readonly string[];
  /** What only other runs can tell; it comes behind the sentences. */
  readonly others?: OtherRuns;
  /** What is left of these sentences where the runs of its settings refute them: what lies there, and no reason. */
  readonly ifRefuted?: readonly string[];
  /** Said unless the run of that setting contradicts it. */
  readonly ifItHelps?: { readonly setting: Setting; readonly sentence: string };
  /** Settings that might mend it; each is run. */
  readonly settings: readonly Setting[];
  /** Settings that go further than another one: run where that one does not move memory back and forth already. */
  readonly further?: { readonly than: Setting; readonly settings: readonly Setting[] };
  /** A setting under which the mechanism does not exist: where its run has no less memory resident and no lower peak, it is not at work. */
  readonly testedBy?: Setting;
  /** A mechanism that says more of the same bytes: where that accounts for nearly all of them, this one is not told. */
  readonly within?: string;
  /** It is why live blocks grow or a limit is met: no leak. */
  readonly isNoLeak?: boolean;
  /** What mends it and is no setting of an allocator, ready to paste. */
  readonly remedies?: readonly Paste[];
  /** A setting that may make the program quicker for reasons that no price knows. */
  readonly forTime?: { readonly setting: Setting; readonly sentence: string };
  /** What a call of the program's would do about it, where it does: part of the answer. */
  readonly call?: string;
  /** What is to be lowered: the resident bytes unless said. */
  readonly lowers?: 'faults';
}

export interface Mechanism {
  readonly name: string;
  readonly detect: (situation: Situation) => Finding | undefined;
}

/** Below this share of the resident bytes nothing is worth a finding. */
export const WORTH_FINDING = 0.05;

/** What spares less than this share of the faults is no answer. */
export const FEWER_FAULTS = 0.5;
