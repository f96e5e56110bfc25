import { parseAllocator } from '../../allocators/spec.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import type { KernelOptions } from '../../sim/kernel/kernel.ts';
import { type Holdings, holdingsOf } from './holdings.ts';
import type { Layout } from './layout.ts';
import { Memo, type MemoCounts } from './memo.ts';
import type { RecordedParts } from './recorded-parts.ts';
import { LayoutTable, playSlot, type SlotTask, type SlotTimeline } from './slot-timeline.ts';
import { type AfterRequest, requestEvents, WorkerHeap } from './worker-heap.ts';

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
}

/** Some slots of a pool, for one thread. */
export interface ShardTask {
  readonly settings: HeapSettings;
  readonly slots: readonly SlotTask[];
  readonly samplesUs: Float64Array;
}

export interface ShardResult {
  readonly timelines: readonly SlotTimeline[];
  readonly layouts: readonly Layout[];
  /** What each slot's last process holds at the end. */
  readonly holdings: readonly Holdings[];
  readonly counts: MemoCounts;
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
    const { heap, memo } = this;
    const layouts = new LayoutTable();
    const holdings: Holdings[] = [];
    const timelines = task.slots.map((slot) => {
      const timeline = playSlot(slot, {
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
      return timeline;
    });
    return {
      timelines,
      layouts: layouts.layouts,
      holdings,
      counts: memo.counts(),
      compares: memo.compares,
      startPages: this.startPages,
      startLayout: this.startLayout,
      failures: memo.plays.reduce((sum, play) => sum + play.failures, 0),
    };
  }
}
