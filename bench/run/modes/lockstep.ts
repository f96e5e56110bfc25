import { loadModel } from '../../../allocators/load.ts';
import {
  type EventBuffer,
  isPassing,
  OP_MASK,
  OP_SAMPLE,
  OP_STALE_FREE,
  type PassingTrace,
  type Rows,
  rowsOf,
} from '../../../sim/contract/event.ts';
import { hasOperation } from '../../../sim/contract/operation-set.ts';
import type { Addr, Bytes } from '../../../sim/contract/units.ts';
import { slotsOfRows } from '../../../sim/replay/changed-slots.ts';
import type { Lockstep } from '../../../sim/replay/lockstep.ts';
import { requestedPeak } from '../../../sim/replay/requested.ts';
import type { TlbObserver } from '../../../sim/tlb/observed.ts';
import { runInMachine } from '../kept-machine.ts';
import type { RunResult, TlbResult } from '../result.ts';
import { Run } from '../run.ts';
import type { RowWatcher, RunOptions } from '../run-options.ts';
import { createLockstepMachine } from './lockstep-machine.ts';

/** Of a run in steps. */
const STEP_ROWS = 1 << 15;

/** A run in lockstep: events strictly in file order. It can be stopped at any row and looked at. */
export class LockstepRun extends Run<EventBuffer | PassingTrace> {
  row = 0;

  private readonly rows: Rows;
  private readonly hasSamples: () => boolean;
  private readonly tlb: TlbObserver | undefined;
  private readonly lockstep: Lockstep;
  private readonly watcher: RowWatcher | undefined;
  /** Somebody looks at single events. */
  private readonly isStepwise: boolean;
  private beginIndex = 0;
  /** Where the blocks of these rows were placed: they are freed once more after their death. */
  private readonly addresses = new Map<number, Addr>();
  /** Thread slot → its number in order of creation, as system call lists show it. */
  private readonly creation: Int32Array;

  constructor(options: RunOptions<EventBuffer | PassingTrace>, machine = createLockstepMachine(options)) {
    super(options, machine.touch, machine.assembled);
    const { events } = options;
    this.tlb = machine.tlb;
    this.lockstep = machine.lockstep;
    machine.begin(options, {
      failed: (row) => this.failedRows.push(row),
      addressOfRow: (row) => this.addresses.get(row)!,
    });
    this.watcher = options.watch?.(this.assembled);
    this.creation = new Int32Array(events.threadSlots);
    this.rows = rowsOf(events);
    const hasOwn = !isPassing(events) && hasOperation(events, OP_SAMPLE);
    // A sample has a label.
    this.hasSamples = isPassing(events) ? () => events.labels.length > 0 : () => hasOwn;
    const { placements, syscalls, check } = options;
    this.rememberStaleRows();
    this.isStepwise =
      placements !== undefined || syscalls !== undefined || check === 'events' || this.addresses.size > 0;
    if (syscalls) {
      this.assembled.machine.kernel.observeSyscalls((t, text) =>
        syscalls.write(`${this.row} ${this.creation[t]!} ${text}`),
      );
    }
  }

  private rememberStaleRows(): void {
    const { events } = this.options;
    if (isPassing(events) || !hasOperation(events, OP_STALE_FREE)) return;
    const { head, a, length } = events;
    for (let row = 0; row < length; row++) if ((head[row]! & OP_MASK) === OP_STALE_FREE) this.addresses.set(a[row]!, 0);
  }

  get done(): boolean {
    return this.row >= this.options.events.length || this.abort !== null;
  }

  /** Executes rows up to `limit`, at most; takes the samples on the way. */
  advance(limit: number): void {
    const { events, sampleEvery = 0, sampleBefore = [] } = this.options;
    while (this.row < Math.min(limit, events.length) && !this.abort) {
      this.beginThreads();
      let to = Math.min(limit, this.nextBegin(), this.rows.bring(this.row));
      if (sampleEvery > 0) to = Math.min(to, (Math.floor(this.row / sampleEvery) + 1) * sampleEvery);
      const wanted = sampleBefore.find((row) => row > this.row) ?? Infinity;
      to = Math.min(to, wanted, this.row + this.upToPeak(to));
      this.runTo(to);
      const isPeak = this.peaks();
      const isDue = isPeak || to === wanted || (sampleEvery > 0 && to % sampleEvery === 0);
      if (isDue && this.row === to && to < events.length) this.pass(`#${to}`, to);
    }
  }

  /** The same in steps of some milliseconds. */
  *advanceInSteps(limit: number): Generator<void, void> {
    const end = Math.min(limit, this.options.events.length);
    while (this.row < end && !this.abort) {
      this.advance(Math.min(end, this.row + STEP_ROWS));
      yield;
    }
  }

  protected override proceed(rows: number): boolean {
    this.advance(this.row + rows);
    return !this.done;
  }

  override eventsDone(): number {
    return this.row;
  }

  protected override currentRow(): number {
    return this.row;
  }

  protected override tlbResult(): TlbResult | undefined {
    return this.tlb && { settings: this.tlb.settings, counts: this.tlb.counts };
  }

  protected override requestedPeakBytes(): Bytes {
    return requestedPeak(this.options.events, this.row, this.failedRows);
  }

  protected override sampleEnd(): void {
    this.sample('(end)', this.row);
  }

  /** Those of the rows since the last sample. What ends with a heap, or with one that serves both families, is in no row. */
  protected override changedSlots(row: number): Int32Array | undefined {
    const { events } = this.options;
    const { allocator, request } = this.assembled;
    if (request && (request === allocator || events.threadSlots > 1)) return undefined;
    return slotsOfRows(events, this.samples.at(-1)?.event ?? 0, row);
  }

  private nextBegin(): number {
    return this.options.events.begins[this.beginIndex]?.row ?? this.options.events.length;
  }

  private beginThreads(): void {
    const { begins } = this.options.events;
    while (begins[this.beginIndex]?.row === this.row) {
      const { thread } = begins[this.beginIndex++]!;
      this.creation[thread] = this.beginIndex;
      this.lockstep.startThread(thread);
    }
  }

  /** Rows [row, to): no thread begins in there. */
  private runTo(to: number): void {
    const { events } = this.options;
    const { head, a, mask } = this.rows;
    while (this.row < to && !this.abort) {
      let stop = this.row;
      if (this.isStepwise) stop = this.row + 1;
      else if (!this.hasSamples()) stop = to;
      else while (stop < to && (head[stop & mask]! & OP_MASK) !== OP_SAMPLE) stop++;
      const goesOn = this.timed(() => {
        if (this.watcher) runWatched(this.lockstep, this.watcher, this.row, stop);
        else this.lockstep.run(this.row, stop);
        return true;
      });
      if (!goesOn) return;
      if (this.isStepwise) this.afterEvent(this.row);
      if (stop < to || this.isStepwise) {
        const at = this.isStepwise ? this.row : stop;
        if ((head[at & mask]! & OP_MASK) === OP_SAMPLE) {
          this.pass(events.labels[a[at & mask]!]!, at);
          stop = at + 1;
        }
      }
      this.row = stop;
    }
  }

  private afterEvent(row: number): void {
    const { placements, check } = this.options;
    const { objects, allocator, top } = this.assembled;
    const { head, slot, mask } = this.rows;
    const handle = objects.handles[slot[row & mask]!]!;
    if (placements) {
      const line = this.placementOf(row, head[row & mask]! & OP_MASK, handle);
      if (line !== undefined) placements.write(line);
    }
    if (this.addresses.has(row)) this.addresses.set(row, handle === 0 ? 0 : allocator.addressOf(handle));
    if (check === 'events') top.check();
  }
}

function runWatched(lockstep: Lockstep, watcher: RowWatcher, from: number, to: number): void {
  for (let row = from; row < to; ) {
    const next = watcher.next(row, to);
    lockstep.run(row, next);
    row = next;
    if (row === to) return;
    watcher.look(row);
    lockstep.run(row, row + 1);
    row++;
  }
}

/** Runs in file order to its end, or to where the signal stops it. */
export async function runLockstep(options: RunOptions<EventBuffer | PassingTrace>): Promise<RunResult> {
  await loadModel(options.spec);
  const make = (isKept: boolean) => createLockstepMachine(options, isKept);
  return runInMachine(options.machine, make, (machine) => new LockstepRun(options, machine).toEnd());
}
