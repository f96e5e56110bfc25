import type { Handle, ThreadSlot } from '../contract/allocator.ts';
import type { Start } from '../contract/start.ts';
import type { Bytes, Ns } from '../contract/units.ts';
import type { Scheduler } from '../time/scheduling.ts';
import type { CallDurations } from './calls.ts';
import type { ChangedSlots } from './changed-slots.ts';
import type { OtherEventsOptions } from './other-events.ts';
import type { ProgramOrderReader } from './program-order.ts';
import type { RecordedTime } from './recorded-time.ts';

export interface FreeRunningOptions
  extends Pick<
    OtherEventsOptions,
    'objects' | 'kernel' | 'allocator' | 'request' | 'touch' | 'time' | 'locks' | 'onSample'
  > {
  readonly program: ProgramOrderReader;
  readonly start: Start;
  readonly operations: Float64Array;
  /** `--pace replay`: a thread exits after its last event. Else it stays until the trace's `te`, with what its cache holds. */
  readonly threadsExit: boolean;
  /** As in interpreter.ts. */
  readonly endsEarly: boolean;
  /** `--pace recorded`: the times in the trace; undefined for the others. */
  readonly recorded: RecordedTime | undefined;
  readonly onFailure: (row: number) => void;
  /** A thread is about to do nothing for so long, as its recorded time has it. */
  readonly onSleep?: ((ns: Ns) => void) | undefined;
  /** Notes what samples have to look at; undefined where there are none on the way. */
  readonly changed: ChangedSlots | undefined;
  /** After each event, where somebody wants to see them one by one. */
  readonly onEvent: ((row: number, op: number, handle: Handle) => void) | undefined;
}

export interface FreeRunning {
  readonly scheduler: Scheduler;
  readonly mallocs: CallDurations;
  readonly frees: CallDurations;
  /** Before the first event, once the allocator is ready for it. */
  begin(): void;
  /** What processors had written and still had in their caches is forgotten, before the machine's memory is put back. */
  forgetWrites(): void;
  /** Executes about `events` events; false when all threads are done. */
  run(events: number): boolean;
  /** Events done so far. */
  done(): number;
  /** The event that is executing, for messages. */
  row(): number;
  /** The time of the thread that executes. */
  nowNs(): Ns;
  /** … with the time that what it has done is still to take: before that, its memory is on the way. */
  workEndsNs(): Ns;
  /** The largest sum of requested bytes of live blocks so far. */
  requestedPeakBytes(): Bytes;
  eventsOf(t: ThreadSlot): number;
  /** Object slots among which are all that have changed since the last call; undefined: any. */
  changedSlots(): Int32Array | undefined;
}

/** Why a thread stops. */
export const GOES_ON = 0; // nothing stops it but the end of the share of events; how a run is cut into shares changes nothing in it
export const STOP_TURN = 1; // others may act before, or what it has done has to be played
export const STOP_UNTIL = 2; // its next event is not due before a time
export const STOP_DONE = 3;
export type Stop = 0 | 1 | 2 | 3;
