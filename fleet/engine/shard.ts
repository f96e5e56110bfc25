import { parseAllocator } from '../../allocators/spec.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import type { KernelOptions } from '../../sim/kernel/kernel.ts';
import { atOnce } from '../../workloads/breathing.ts';
import { type Holdings, holdingsOf } from './holdings.ts';
import type { Layout } from './layout.ts';
import { Memo, type MemoCounts } from './memo.ts';
import type { RecordedParts } from './recorded-parts.ts';
import { requestEvents } from './request-events.ts';
import { LayoutTable, playSlot, type SlotTask, type SlotTimeline } from './slot-timeline.ts';
import { type AfterRequest, WorkerHeap } from './worker-heap.ts';

/** What all workers of a pool have in common. */
export interface HeapSettings {
  readonly allocator: string;
  readonly processors: number;
  readonly kernel: Partial<KernelOptions>;
  /** Played by the master before it forks. */
  readonly startup: EventBuffer | undefined;
  /** Everything that can be served. */
  readonly requests: readonly EventBuffer[];
  /** Of a recorded worker: the parts of its trace, up to the fork and request by request. Its requests are these. */
  readonly recorded?: RecordedParts | undefined;
  readonly after: AfterRequest;
  readonly recyclePages: number;
  /** Whether requests that meet a known heap are taken from memory. */
  readonly remembers: boolean;
  /** Whether, where time decides, the request allocator's part of those is, and what threads' caches serve. */
  readonly remembersLayer?: boolean;
}

/** Some slots of a pool, for one thread. */
export interface ShardTask {
  readonly settings: HeapSettings;
  readonly slots: readonly SlotTask[];
  readonly samplesUs: Float64Array;
}

export interface ShardCounts extends MemoCounts {
  /** Of what was played: requests of which the request allocator's part was not. */
  readonly layerMet: number;
  /** Threads whose calls in a request were not played either. */
  readonly threadsMet: number;
}

export interface ShardResult {
  readonly timelines: readonly SlotTimeline[];
  readonly layouts: readonly Layout[];
  /** What each slot's last process holds at the end. */
  readonly holdings: readonly Holdings[];
  readonly counts: ShardCounts;
  /** Whether states were compared; without, time decides or the allocator does not say. */
  readonly compares: boolean;
  /** Pages of a heap as it is forked. */
  readonly startPages: number;
  readonly startLayout: Layout;
  readonly failures: number;
}

/** One process's heap and memory of requests, ready for slots. */
export class Shard {
  readonly heap: WorkerHeap;
  readonly memo: Memo;
  readonly startPages: number;
  /** As the heap is forked. */
  readonly startLayout: Layout;
  private readonly settings: HeapSettings;

  constructor(settings: HeapSettings) {
    this.settings = settings;
    const { recorded } = settings;
    const requests = recorded
      ? recorded.requests.map((part) => requestEvents(recorded.events, part))
      : settings.requests.map((events) => requestEvents(events));
    const startup = recorded
      ? requestEvents(recorded.events, { from: 0, to: recorded.forkedAt })
      : settings.startup && requestEvents(settings.startup);
    const ready = recorded && requestEvents(recorded.events, { from: recorded.forkedAt, to: recorded.readyAt });
    const spec = parseAllocator(settings.allocator, settings.processors);
    this.heap = new WorkerHeap({
      spec,
      processors: settings.processors,
      kernel: settings.kernel,
      requests: startup ? [...requests, startup] : requests,
      touch: recorded?.events.touch ?? 'full',
      remembersLayer: settings.remembersLayer === true && !recorded && settings.after !== 'gc_mem_caches',
    });
    if (startup) {
      this.heap.play(startup);
      if (!recorded) this.heap.top.forkChild?.(0); // a recording has the fork itself
      this.heap.fork();
    }
    this.startLayout = this.heap.layout();
    if (ready) this.heap.play(ready);
    this.startPages = this.heap.machine.kernel.residency.residentPages();
    this.memo = new Memo(this.heap, requests, { isOn: settings.remembers && !recorded, after: settings.after });
  }

  play(task: ShardTask): ShardResult {
    return atOnce(this.playing(task));
  }

  /**
   * Plays slots one after the other, in steps. With `whileMet` it ends before the last one where less than half of the requests meet a
   * heap that is known: the result is of the slots before.
   */
  *playing(task: ShardTask, whileMet = false): Generator<void, ShardResult> {
    const { heap, memo } = this;
    const layouts = new LayoutTable();
    const holdings: Holdings[] = [];
    const timelines: SlotTimeline[] = [];
    let counts: ShardCounts = { played: 0, met: 0, states: 0, failures: 0, layerMet: 0, threadsMet: 0 };
    for (const slot of task.slots) {
      if (whileMet && timelines.length > 0 && isStrange(memo)) break;
      const steps = playSlot(slot, {
        heap,
        memo,
        layouts,
        samplesUs: task.samplesUs,
        recyclePages: this.settings.recyclePages,
        atEnd: (place) => {
          memo.bringTo(place);
          holdings.push(holdingsOf(heap));
        },
      });
      let step = steps.next();
      while (!step.done && !(whileMet && memo.gaveUp)) {
        yield;
        step = steps.next();
      }
      if (!step.done) break;
      timelines.push(step.value);
      counts = { ...memo.counts(), layerMet: heap.layerMet, threadsMet: heap.threadsMet };
    }
    return {
      timelines,
      layouts: layouts.layouts,
      holdings,
      counts,
      compares: memo.compares,
      startPages: this.startPages,
      startLayout: this.startLayout,
      failures: counts.failures,
    };
  }
}

/** Whether more is played than met. */
function isStrange(memo: Memo): boolean {
  const { played, met } = memo.counts();
  return memo.gaveUp || played > met;
}
