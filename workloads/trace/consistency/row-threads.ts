import type { TraceSummary } from '../../../sim/contract/event.ts';
import type { CommonRows } from '../common-rows.ts';
import { THREAD_ID_MAX } from '../compiler/limits.ts';

/** By thread slot. */
const [NOBODY, ALIVE, GONE] = [0, 1, 2]; // gone at a fork: the slot is not used again

/** Who lives in each thread slot, row by row. */
export class RowThreads {
  private readonly begins: TraceSummary['begins'];
  private readonly tables: CommonRows;
  private readonly states: Uint8Array;
  private readonly idOf: Float64Array;
  private readonly aliveIds = new Set<number>([0]);
  /** By thread number, its list of e-blocks. */
  private readonly listOf = new Map<number, number>();
  private lists = 0;
  private nextBegin = 0;

  constructor({ begins, threadSlots }: TraceSummary, tables: CommonRows) {
    this.begins = begins;
    this.tables = tables;
    this.states = new Uint8Array(threadSlots);
    this.idOf = new Float64Array(threadSlots);
    this.set(0, ALIVE);
  }

  /** Threads that begin before the row; says what is wrong with them. */
  begin(row: number): string | undefined {
    for (; this.rowOfNext === row; this.nextBegin++) {
      const { thread, id } = this.begins[this.nextBegin]!;
      if (thread >= this.states.length || this.states[thread] !== NOBODY) {
        return 'a thread begins where another one is';
      }
      if (id > THREAD_ID_MAX || this.aliveIds.has(id)) return 'a thread begins that is alive';
      this.idOf[thread] = id;
      this.set(thread, ALIVE);
      this.aliveIds.add(id);
    }
    return undefined;
  }

  /** Where the next thread begins; undefined: no more does. */
  get rowOfNext(): number | undefined {
    return this.begins[this.nextBegin]?.row;
  }

  isAlive(t: number): boolean {
    return this.states[t] === ALIVE;
  }

  isMain(t: number): boolean {
    return this.idOf[t] === 0;
  }

  requestList(t: number): number {
    const id = this.idOf[t]!;
    let list = this.listOf.get(id);
    if (list === undefined) {
      list = this.lists++;
      this.listOf.set(id, list);
    }
    return list;
  }

  exit(t: number): void {
    this.set(t, NOBODY);
    this.aliveIds.delete(this.idOf[t]!);
  }

  /** Only this one lives on. */
  fork(t: number): void {
    for (let other = 0; other < this.states.length; other++) {
      if (other === t || this.states[other] !== ALIVE) continue;
      this.set(other, GONE);
      this.listOf.delete(this.idOf[other]!);
    }
    this.aliveIds.clear();
    this.aliveIds.add(this.idOf[t]!);
  }

  private set(t: number, state: number): void {
    this.states[t] = state;
    const { owners, listOf, setAlive } = this.tables;
    if (owners.length > 0 && state === ALIVE) listOf[t] = this.requestList(t);
    setAlive(t, state === ALIVE);
  }
}
