import type { Bytes, Ns } from '../../../sim/contract/units.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import type { StackBytes } from '../../report/sites/stacks.ts';
import type { RecordedProcessSample } from '../../run/recorded-process.ts';
import type { RunDescription, RunResult } from '../../run/result.ts';
import type { Paste } from '../paste.ts';
import type { Growth } from './heap/demand.ts';
import type { HeldPage, PinningGroup } from './heap/pinning.ts';
import type { AreaReport } from './heap/ranges.ts';
import type { ReturnPrediction } from './heap/returns.ts';
import type { TunableChange } from './heap/tunable-changes.ts';
import type { Moment } from './moment/moment.ts';
import type { PythonObjects } from './recorded/python.ts';
import type { Pasted } from './settings/paste.ts';
import type { OrderRange, WhatIf } from './settings/what-if.ts';

export const EXPLANATION_SCHEMA = 'allocsim-explanation-1';

export type VerdictKind =
  | 'in use'
  | 'rounding'
  | 'leak'
  | 'cache'
  | 'retention by policy'
  | 'fragmentation by pinning'
  | 'metadata'
  | 'nothing';

/** What most of the resident bytes are, in words; every sentence holds the figures that it rests on. */
export interface Verdict {
  readonly kind: VerdictKind;
  /** Resident bytes by cause; they add up to rssBytes. */
  readonly shares: Readonly<Record<Exclude<VerdictKind, 'leak' | 'nothing'>, Bytes>>;
  readonly headline: string;
  readonly sentences: readonly string[];
  /** Those of the sentences that say where most of it lies. */
  readonly place: readonly string[];
  /** Those of the sentences that say what would change it. */
  readonly answer: readonly string[];
  /** The setting that answers the headline: that saves most for what it costs, or spares most faults; null: nothing to gain by one. */
  readonly advice: WhatIf | null;
  /** The other answer, where one setting lowers the memory and another the page faults. */
  readonly alsoAdvised: WhatIf | null;
  /** Both ready to paste, each with what it is for (empty where there is one). */
  readonly pastes: readonly (Pasted & { readonly lead: string })[];
  /** What mends a mechanism and is no setting of an allocator: lines of php.ini, of a pool, of the program. */
  readonly remedies: readonly Paste[];
  readonly mechanisms: readonly MechanismAtWork[];
}

/** A mechanism that keeps memory or moves it, and the resident bytes that it accounts for; they may overlap. */
export interface MechanismAtWork {
  readonly name: string;
  readonly bytes: Bytes;
  readonly sentences: readonly string[];
}

/** What the run as it is takes up to the moment, in virtual time. */
export interface RunTimes {
  /** Work of all threads. */
  readonly cpuNs: Ns;
  /** Of a setting, in the order of the threads' calls in which it takes most more than the run as it is; `cpuNs` is that in which it takes least. */
  readonly cpuMostNs?: Ns;
  /** Waits for locks, of all threads; null for a trace without times. */
  readonly lockWaitNs: Ns | null;
  readonly faults: number;
  readonly syscalls: number;
  /** All that the threads had: the length of the run times their number. */
  readonly threadNs: Ns;
}

/** Where the process was forked by another one, and what of that one's heap was resident. */
export interface Forked {
  readonly event: number;
  readonly bytes: Bytes;
}

/** What a recording says of the program, and of itself. */
export interface Recording {
  /** Allocator and huge pages that the process had, where the run has others: then the two are not to be compared. */
  readonly under: string | null;
  readonly hadHugePages: boolean;
  /** Bytes of zeros on huge pages, which count as not written. */
  readonly zeroBytes: Bytes;
  /** … on huge pages that the program asks for itself, which count as written. */
  readonly ownHugeBytes: Bytes;
  /** For which it asks so, all calls taken together: their huge pages are not simulated. */
  readonly advisedBytes: Bytes;
  /** The most that the heap had up to the look, recorded and simulated; null where that is not known. */
  readonly peak: { readonly recordedBytes: Bytes; readonly simulatedBytes: Bytes } | null;
}

/** Where the resident bytes are at one point of a run, and why they stay. */
export interface Explanation {
  readonly schema: typeof EXPLANATION_SCHEMA;
  readonly run: RunDescription;
  /** Events executed. */
  readonly event: number;
  /** The point that is judged, and how it was found. */
  readonly moment: Pick<Moment, 'kind' | 'about'>;
  /** Most bytes resident at once up to there. */
  readonly rssPeakBytes: Bytes;
  /** Where the real program would have aborted, and with which message: the run goes no further. */
  readonly abort: RunResult['abort'];
  /** What a setting's `workNs` is to be held against: the price of what was counted up to there, locks and waits aside; of one thread that was timed, its time. */
  readonly workNs: Ns;
  /** Processor time of the recorded program up to there, without the recorder's (programTime); null where it was not recorded. */
  readonly programNs: Ns | null;
  readonly sample: Sample;
  readonly areas: readonly AreaReport[];
  /** What the allocator would give back if it were asked now; the widest request first. */
  readonly returns: readonly [ReturnPrediction, ...ReturnPrediction[]];
  readonly pinning: readonly PinningGroup[];
  readonly heldPages: readonly HeldPage[];
  readonly tunables: Readonly<Record<string, number>> | null;
  readonly tunableChanges: readonly TunableChange[];
  readonly growth: Growth;
  /** The recorded process at the look of the recorder there, or at the nearest one; null where there is none. */
  readonly process: RecordedProcessSample | null;
  /** Events from the moment to that look, negative where it was before; 0: with no allocation and no free between. */
  readonly processEventsLater: number;
  /** Of a process that another one forked; null for others. */
  readonly forked: Forked | null;
  /** Bytes of large blocks that the recording has as written though nobody saw it (assumedWrites); 0 where there are none. */
  readonly assumedWriteBytes: Bytes;
  /** What a recording says beside its looks; null for what was not recorded. */
  readonly recording: Recording | null;
  /** What serves the small objects of a program in Python; null for any other. */
  readonly python: PythonObjects;
  /** By call stack, the most first; null for a trace without call sites. */
  readonly sites: readonly StackBytes[] | null;
  /** Of the program. */
  readonly threads: number;
  /** null where no setting was worth timing, or virtual time does not take the events. */
  readonly times: RunTimes | null;
  /** What the run as it is leaves in several orders of the threads' calls; null where none was asked for. */
  readonly orders: OrderRange | null;
  readonly whatIf: readonly WhatIf[];
  /** Interrupted: of the other settings only those that had been run. */
  readonly partial: boolean;
  readonly verdict: Verdict;
}

/** What is known before any other setting was run. */
export type Facts = Omit<Explanation, 'schema' | 'verdict' | 'whatIf' | 'partial'>;
