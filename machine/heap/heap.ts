import type { Allocator, RequestAllocator } from '../../sim/contract/allocator.ts';
import { AllocatorAbort, ProcessKilled } from '../../sim/contract/assert.ts';
import { type EventBuffer, OP_MASK, OP_SAMPLE } from '../../sim/contract/event.ts';
import type { SharedBuffers } from '../../sim/contract/memory.ts';
import type { MemoryBacking } from '../../sim/kernel/backing.ts';
import type { KernelVersion } from '../../sim/kernel/kernel.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { createLockstep, type Lockstep } from '../../sim/replay/lockstep.ts';
import type { ObjectTable } from '../../sim/replay/objects.ts';
import { flushersTurn } from '../kernel/flusher.ts';
import type { Kernel, Task } from '../kernel/kernel.ts';
import { NO_LIMIT } from '../kernel/mem-cgroup.ts';
import { handleOverHigh, isOverHigh } from '../kernel/throttle.ts';
import { ProcessMemory } from './process-memory.ts';

/** A workload and the allocator under it: what a process of the machine can run. */
export interface HeapProgram {
  /** As they were asked for. */
  readonly workload: string;
  readonly allocator: string;
  readonly events: EventBuffer;
  /** Fresh blocks are written. */
  readonly touches: boolean;
  /** Puts the model together above `backing`; in the child of a fork over a copy of its parent's buffers. */
  assemble(backing: MemoryBacking, kernel: HeapKernel, buffers?: SharedBuffers): HeapParts;
}

export interface HeapKernel {
  /** Whose placement rules mmap follows. */
  readonly version: KernelVersion;
  readonly thp: 'always' | 'madvise' | 'never';
}

export interface HeapParts {
  readonly machine: Machine;
  readonly objects: ObjectTable;
  readonly allocator: Allocator;
  readonly request: RequestAllocator | undefined;
  readonly top: Allocator;
}

/** Why `advance` came back: as far as it should, at the end of the workload, to sleep, as others have their turn, or because the process ends. */
export type HeapStop = 'there' | 'sleeps' | 'turn' | 'killed' | 'aborted';

/** So many events at a time where nobody looks in between. */
const PIECE_EVENTS = 4096;

/**
 * A process's heap: a workload replayed by a model, in file order, whose mappings and pages are the process's. It runs until the
 * caller stops it, and goes on later; the process may have mappings of its own, fork, or be killed between two events or in the
 * middle of one.
 */
export class Heap {
  readonly program: HeapProgram;
  readonly memory: ProcessMemory;
  readonly parts: HeapParts;
  /** Events executed. */
  events = 0;
  /** What the allocator would have written before it aborted. */
  abortMessage: string | undefined;
  /** How long the process must sleep after `sleeps`, in microseconds. */
  sleepUs = 0;
  /** Allocations that returned NULL. */
  failedAllocations = 0;
  private readonly k: Kernel;
  private readonly task: Task;
  private readonly lockstep: Lockstep;
  private begun = 0;

  constructor(k: Kernel, task: Task, program: HeapProgram, parent?: Heap) {
    this.k = k;
    this.task = task;
    this.program = program;
    const { current } = k;
    k.current = task;
    this.memory = new ProcessMemory(k, task);
    const kernel = { version: k.profile.release.startsWith('6.1.') ? '6.1' : '6.18', thp: k.thp.enabled } as const;
    this.parts = program.assemble(this.memory, kernel, parent?.parts.machine.memory.copy());
    const { machine, objects, allocator, request } = this.parts;
    this.lockstep = createLockstep({
      events: program.events,
      objects,
      kernel: machine.kernel,
      allocator,
      request,
      touches: program.touches,
      pagesMayGo: true,
      onFailure: () => {
        this.failedAllocations++;
      },
    });
    if (parent) this.inherit(parent);
    k.current = current;
  }

  /** The child of a fork: everything as its parent has it, and every page told of anew. */
  private inherit(parent: Heap): void {
    this.events = parent.events;
    this.begun = parent.begun;
    this.failedAllocations = parent.failedAllocations;
    this.memory.flush(0, Number.MAX_SAFE_INTEGER);
    this.parts.allocator.forkChild?.(0);
  }

  /** The same heap in `child`, a fork of this process made by forkTask just now. */
  fork(child: Task): Heap {
    return new Heap(this.k, child, this.program, this);
  }

  get done(): boolean {
    return this.events >= this.program.events.length;
  }

  /** Events up to the sample point of that label, which is one of them; undefined where there is none. */
  eventOf(label: string): number | undefined {
    const { head, a, labels, length } = this.program.events;
    for (let row = 0; row < length; row++)
      if ((head[row]! & OP_MASK) === OP_SAMPLE && labels[a[row]!] === label) return row + 1;
    return undefined;
  }

  /** Executes events until `until` of them are done, or less where the process must sleep or ends. */
  advance(until = Number.POSITIVE_INFINITY): HeapStop {
    const { k, task } = this;
    const { events } = this.program;
    const end = Math.min(until, events.length);
    k.current = task;
    try {
      while (this.events < end) {
        this.beginThreads();
        const to = this.pieceEnd(end);
        if (to === this.events) {
          // The program asks its allocator for statistics, which makes some allocators set memory aside.
          this.parts.top.stats();
          this.events++;
        } else {
          this.lockstep.run(this.events, to);
          this.events = to;
        }
        flushersTurn(k);
        if (k.nowUs >= k.othersTurnUs && this.events < end) return 'turn';
        if (!isOverHigh(task)) continue;
        this.sleepUs = handleOverHigh(k, task);
        if (task.fatalSignal) return 'killed';
        if (this.sleepUs > 0) return 'sleeps';
      }
    } catch (error) {
      if (!(error instanceof AllocatorAbort || error instanceof ProcessKilled)) throw error;
      this.events = error.event ?? this.events;
      if (error instanceof ProcessKilled) return 'killed';
      this.abortMessage = error.message;
      return 'aborted';
    } finally {
      k.current = null;
    }
    return 'there';
  }

  /** Where the events that can be executed without a look in between end: at a sample point, a thread's begin, or after a piece. */
  private pieceEnd(end: number): number {
    const { head, begins } = this.program.events;
    const most = Math.min(end, begins[this.begun]?.row ?? end, this.events + this.pieceLength());
    let to = this.events;
    while (to < most && (head[to]! & OP_MASK) !== OP_SAMPLE) to++;
    return to;
  }

  /** Where others wait for the processor, or a group may make the process sleep, it stops after the event that has gone too far. */
  private pieceLength(): number {
    if (this.k.othersTurnUs < Number.POSITIVE_INFINITY) return 1;
    for (let group = this.task.group; !group.isRoot; group = group.parent!) if (group.high !== NO_LIMIT) return 1;
    return PIECE_EVENTS;
  }

  private beginThreads(): void {
    const { begins } = this.program.events;
    while (begins[this.begun]?.row === this.events) this.lockstep.startThread(begins[this.begun++]!.thread);
  }
}
