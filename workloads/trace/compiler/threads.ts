import type { ThreadBegin } from '../../../sim/contract/event.ts';
import type { CommonLines } from '../common-lines.ts';
import type { EventColumns } from './event-columns.ts';
import type { RequestBlocks } from './request-blocks.ts';

/** Smaller thread numbers are an index. */
export const DIRECT_THREADS = 65536;
const NOT_ALIVE = -1;

/** The threads of a trace under construction: their slots, and who acts. */
export class Threads {
  /** The thread of the event before, and its slot; after an exit there is none, and `+` and `=` are the main thread's. */
  current = 0;
  currentSlot = 0;
  /** By thread number its slot plus one, so that 0 is "not alive". */
  readonly slotOfThread: Int32Array;
  /** Slots ever used. */
  slots = 0;
  readonly begins: ThreadBegin[] = [];
  private readonly slotOfHigh = new Map<number, number>();
  /** The list of e-blocks of a thread number, and of the thread in a slot. */
  private readonly listOfThread = new Map<number, number>();
  private readonly listOfSlot: number[] = [];
  private readonly freeSlots: number[] = [];
  private leavingSlot = NOT_ALIVE;
  private readonly columns: EventColumns;
  private readonly requestBlocks: RequestBlocks;

  constructor(columns: EventColumns, requestBlocks: RequestBlocks, lines: CommonLines | undefined) {
    this.columns = columns;
    this.requestBlocks = requestBlocks;
    this.slotOfThread = lines?.slotOfThread ?? new Int32Array(DIRECT_THREADS);
    this.begin(0);
  }

  isAlive(thread: number): boolean {
    return this.slotOf(thread) !== NOT_ALIVE;
  }

  /** Whether a thread has exited with the event before. */
  get isLeaving(): boolean {
    return this.leavingSlot !== NOT_ALIVE;
  }

  requestList(t: number): number {
    return this.listOfSlot[t]!;
  }

  /** The slot of the thread that acts now; it begins here if it is not alive. */
  act(thread: number): number {
    return thread === this.current ? this.currentSlot : this.switchTo(thread);
  }

  /** A slot becomes free after the thread of the event behind the exit has been created, not before. */
  releaseLeavingSlot(): void {
    if (this.leavingSlot === NOT_ALIVE) return;
    this.freeSlots.push(this.leavingSlot);
    this.leavingSlot = NOT_ALIVE;
  }

  /** The thread that acts has exited. */
  exit(thread: number): void {
    this.setSlot(thread, NOT_ALIVE);
    this.leavingSlot = this.currentSlot;
    this.current = -1;
    this.currentSlot = 0;
  }

  /**
   * Only this thread lives on. What is gone without having exited leaves its cache, its arena and its request's heap as they are: its slot is not
   * used again.
   */
  fork(thread: number): void {
    const gone = [...this.slotOfHigh.keys()];
    for (let id = 0; id < DIRECT_THREADS; id++) if (this.slotOfThread[id] !== 0) gone.push(id);
    for (const id of gone) {
      if (id === thread) continue;
      this.setSlot(id, NOT_ALIVE);
      this.listOfThread.delete(id);
    }
  }

  private slotOf(thread: number): number {
    return thread < DIRECT_THREADS ? this.slotOfThread[thread]! - 1 : (this.slotOfHigh.get(thread) ?? NOT_ALIVE);
  }

  private setSlot(thread: number, t: number): void {
    if (thread < DIRECT_THREADS) this.slotOfThread[thread] = t + 1;
    else if (t === NOT_ALIVE) this.slotOfHigh.delete(thread);
    else this.slotOfHigh.set(thread, t);
  }

  private switchTo(thread: number): number {
    const alive = this.slotOf(thread);
    this.currentSlot = alive === NOT_ALIVE ? this.begin(thread) : alive;
    this.current = thread;
    this.releaseLeavingSlot();
    return this.currentSlot;
  }

  private begin(thread: number): number {
    const t = this.freeSlots.pop() ?? this.slots++;
    this.setSlot(thread, t);
    let list = this.listOfThread.get(thread);
    if (list === undefined) {
      list = this.requestBlocks.newList();
      this.listOfThread.set(thread, list);
    }
    this.listOfSlot[t] = list;
    // The main thread is there from the start; after a fork of another one it may begin like any.
    const row = this.columns.length;
    if (thread !== 0 || row > 0) this.begins.push({ row, thread: t, id: thread });
    return t;
  }
}
