import '../../allocators/all.ts';
import type { AllocatorSpec } from '../../allocators/spec.ts';
import { AVERAGES_REGION } from '../../allocators/zend/deciding-state.ts';
import type { Allocator, RequestAllocator } from '../../sim/contract/allocator.ts';
import type { EventBuffer, Touch } from '../../sim/contract/event.ts';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { Memory } from '../../sim/contract/memory.ts';
import { OPERATIONS } from '../../sim/contract/operations.ts';
import type { Ns, Pages } from '../../sim/contract/units.ts';
import { createKernel, KERNEL_DEFAULTS, type KernelOptions } from '../../sim/kernel/kernel.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { RESIDENT_PAGES, RESIDENT_PEAK } from '../../sim/kernel/residency.ts';
import { createLockstep, type Lockstep } from '../../sim/replay/lockstep.ts';
import type { ObjectTable } from '../../sim/replay/objects.ts';
import { COST_PROFILES, operationPrices } from '../../sim/time/costs.ts';
import { CachedRows } from './cached-rows.ts';
import { type HeapImage, putImage, stateDigest, takeImage } from './heap-image.ts';
import { createTellingLockstep } from './inherited-pages.ts';
import { type Layout, layoutOf } from './layout.ts';
import type { RequestEvents } from './request-events.ts';
import { RequestLayer } from './request-layer.ts';
import { createToldKernel, type ToldKernel } from './told-kernel.ts';

/** Shares of a request's events at whose ends its memory is noted. */
export const PROFILE_STEPS = 16;

export type AfterRequest = 'nothing' | 'malloc_trim' | 'gc_mem_caches';

/** What one request was, of a heap in one state. */
export interface Play {
  /** Resident pages behind it, and the most within it. */
  readonly residentPages: Pages;
  readonly peakPages: Pages;
  readonly mappedPages: Pages;
  /** Resident pages when so many sixteenths of its events were done. */
  readonly profile: Uint32Array;
  readonly faults: number;
  readonly failures: number;
  /** What its calls of the allocator and the kernel cost, without waiting for locks. */
  readonly costNs: Ns;
}

export interface WorkerHeapOptions {
  readonly spec: AllocatorSpec;
  readonly processors: number;
  readonly kernel: Partial<KernelOptions>;
  /** Everything that may be played in it. */
  readonly requests: readonly RequestEvents[];
  readonly touch: Touch;
  /** Where time decides: whether a request allocator, and threads that their caches serve, are replayed only where their state is new. */
  readonly remembersLayer?: boolean;
}

interface Player {
  readonly lockstep: Lockstep;
  /** As the lockstep's, and writes to pages of the master's are told. */
  readonly runForked: Lockstep['run'];
  readonly objects: ObjectTable;
}

/** The heap of one worker process at a time. Requests are played one after the other; blocks that one leaves behind stay. */
export class WorkerHeap {
  readonly memory = new Memory();
  readonly machine: Machine;
  /** The outermost model. */
  readonly top: Allocator;
  /** Thread slots whose threads are parked in the process. */
  readonly threads: Uint8Array;
  private readonly allocator: Allocator;
  private readonly request: RequestAllocator | undefined;
  private readonly players = new Map<EventBuffer, Player>();
  /** The request allocator, where it is remembered. */
  private readonly layer: RequestLayer | undefined;
  private readonly cached: CachedRows | undefined;
  /** What it counts: apart from the machine's, so that it can be told what was its work. */
  private readonly layerOperations: Float64Array;
  /** Of the kernel: resident pages and their peak. */
  private readonly counters: Int32Array;
  private readonly prices = operationPrices(COST_PROFILES['bare-metal']!);
  private readonly failures = { count: 0 };
  private isForked = false;
  /** The layout, as long as nothing has changed it. */
  private known: Layout | undefined;

  constructor(options: WorkerHeapOptions) {
    const { spec, requests } = options;
    const operations = new Float64Array(this.memory.reserve('machine.operations', OPERATIONS.length * 8));
    const locks = uncontendedLocks();
    const threadSlots = Math.max(1, ...requests.map(({ events }) => events.threadSlots));
    this.machine = {
      memory: this.memory,
      kernel: createKernel(this.memory, locks, operations, { ...KERNEL_DEFAULTS, ...options.kernel }),
      locks,
      operations,
      cpus: options.processors,
      threadSlots,
      touch: options.touch,
    };
    this.counters = new Int32Array(this.memory.buffers()['kernel.residency']!);
    const { below: lower, model, version } = spec;
    const below = lower?.model.create(this.machine, lower.version, lower.options, undefined, lower.given);
    const remembers =
      options.remembersLayer === true &&
      below !== undefined &&
      below.decidingState === undefined &&
      spec.options['all'] !== true &&
      options.kernel.thp !== 'always';
    const told = remembers ? createToldKernel(this.machine.kernel) : undefined;
    const layerOperations = new Float64Array(this.memory.reserve('fleet.layerOperations', OPERATIONS.length * 8));
    const others = new Set(Object.keys(this.memory.buffers()));
    const machine = told ? { ...this.machine, kernel: told.kernel, operations: layerOperations } : this.machine;
    this.top = model.create(machine, version, spec.options, below, spec.given);
    this.layerOperations = layerOperations;
    if (told) this.layer = this.layerOf(told, others);
    const { threadCaches } = below ?? this.top;
    if (options.remembersLayer && threadCaches && spec.options['all'] !== true)
      this.cached = new CachedRows(threadCaches, this.machine.operations);
    this.request = 'requestBegin' in this.top ? (this.top as RequestAllocator) : undefined;
    this.allocator = below && spec.options['all'] !== true ? below : this.top;
    this.threads = new Uint8Array(this.memory.reserve('fleet.threads', Math.ceil(threadSlots / 8) * 8), 0, threadSlots);
    for (const { events } of requests) if (!this.players.has(events)) this.players.set(events, this.player(events));
  }

  private layerOf(told: ToldKernel, others: ReadonlySet<string>): RequestLayer | undefined {
    const buffers = this.memory.buffers();
    const averages = buffers[AVERAGES_REGION];
    const layer = this.top as RequestAllocator;
    if (!layer.ownDecidingState || !averages) return undefined;
    return new RequestLayer({
      layer,
      told,
      memory: this.memory,
      regions: new Set(Object.keys(buffers).filter((name) => !others.has(name))),
      averages: new Float64Array(averages),
      operations: this.layerOperations,
      pages: this.machine.kernel.pages,
      failures: this.failures,
    });
  }

  /** Requests of which the request allocator's part was not replayed. */
  get layerMet(): number {
    return this.layer?.metCount ?? 0;
  }

  /** Threads whose calls in a request were not replayed, as their caches served all of them. */
  get threadsMet(): number {
    return this.cached?.metCount ?? 0;
  }

  /** Whatever is in memory is as the heap is: to be called before it is looked at other than by pages and mappings. */
  settle(): void {
    this.layer?.settle();
  }

  private player(events: EventBuffer): Player {
    const slots = events.objectSlots;
    const objects: ObjectTable = {
      slots: () => slots,
      lgStride: 0,
      handles: new Int32Array(slots),
      requested: new Uint32Array(slots),
      wide: new Float64Array(2048),
      buried: new Uint8Array(slots),
    };
    const lockstep = createLockstep({
      events,
      objects,
      kernel: this.machine.kernel,
      allocator: this.allocator,
      request: this.request,
      touches: this.machine.touch !== 'none',
      onFailure: () => {
        this.failures.count++;
      },
    });
    const { addressOf } = this.request ?? this.allocator;
    const runForked = createTellingLockstep(events, objects, this.machine.kernel, lockstep, addressOf);
    return { lockstep, runForked, objects };
  }

  /** The process is a fork: its pages are its master's too. */
  fork(): void {
    const { kernel } = this.machine;
    const { vmas, residency } = kernel;
    this.known = undefined;
    for (let i = 0; i < vmas.count(); i++) residency.forked(vmas.start(i), vmas.end(i));
    this.threads.fill(0);
    this.isForked = true;
  }

  get nowNs(): Ns {
    return this.machine.kernel.nowNs() - this.machine.kernel.startNs;
  }

  /** Lets time pass in the process, and what the allocator does by itself meanwhile. */
  passTimeTo(ns: Ns): void {
    const { kernel } = this.machine;
    if (ns > this.nowNs) kernel.advanceClock(ns - this.nowNs);
    if (!this.allocator.advance) return;
    const before = this.known && this.machine.operations.slice();
    this.allocator.advance(0);
    // Whatever changes a mapping or a page is counted.
    if (before?.some((count, i) => count !== this.machine.operations[i])) this.known = undefined;
  }

  /** Plays one request, and calls what its worker calls: gc_mem_caches as the script's last act, malloc_trim behind it. */
  play(own: RequestEvents, call: AfterRequest = 'nothing'): Play {
    const { events, exits, from, to: last, isPart } = own;
    const gcRow = call === 'gc_mem_caches' ? own.endRow : -1;
    const { kernel, operations } = this.machine;
    const { lockstep, objects, runForked } = this.players.get(events)!;
    const layer = this.isForked ? undefined : this.layer;
    if (!isPart) {
      objects.handles.fill(0);
      objects.buried.fill(0);
    }
    this.failures.count = 0;
    this.known = undefined;
    const plain = layer?.begin(own, lockstep) ?? (this.isForked ? runForked : lockstep.run);
    const run = plain === lockstep.run ? (this.cached?.begin(own, plain) ?? plain) : plain;
    const before = operations.map((count, i) => count + this.layerOperations[i]!);
    const faults = kernel.residency.faults();
    this.counters[RESIDENT_PEAK] = this.counters[RESIDENT_PAGES]!;
    const profile = new Uint32Array(PROFILE_STEPS);
    const parked = this.threads.slice();
    // In a trace of several requests every thread that begins is a new one.
    if (isPart) parked.fill(0);
    let row = from;
    let begin = events.begins.findIndex((one) => one.row >= from);
    if (begin < 0) begin = events.begins.length;
    for (let step = 0; step < PROFILE_STEPS; step++) {
      const end = from + Math.floor(((last - from) * (step + 1)) / PROFILE_STEPS);
      while (row < end) {
        for (; events.begins[begin]?.row === row; begin++) {
          const { thread } = events.begins[begin]!;
          // A thread of a team that an earlier request has left parked begins nothing.
          if (parked[thread] === 0) lockstep.startThread(thread);
          parked[thread] = 0;
          this.threads[thread] = 1;
        }
        if (row === gcRow) this.request?.gcMemCaches?.(0);
        const to = Math.min(end, events.begins[begin]?.row ?? last, row < gcRow ? gcRow : last);
        run(row, to);
        row = to;
      }
      profile[step] = kernel.residency.residentPages();
    }
    layer?.finish();
    if (plain === lockstep.run) this.cached?.finish();
    for (const thread of exits) this.threads[thread] = 0;
    if (call === 'malloc_trim') this.allocator.trim(0, 0);
    return {
      residentPages: kernel.residency.residentPages(),
      peakPages: kernel.residency.residentPeakPages(),
      mappedPages: kernel.mappedPages(),
      profile,
      faults: kernel.residency.faults() - faults,
      failures: this.failures.count,
      costNs: this.prices.reduce(
        (sum, price, i) => sum + price * (operations[i]! + this.layerOperations[i]! - before[i]!),
        0,
      ),
    };
  }

  layout(): Layout {
    this.known ??= layoutOf(this.machine.kernel);
    return this.known;
  }

  /** `keepsLive`: whatever will be played concerns its own blocks alone. */
  digest(layout: Layout, keepsLive: boolean): string | undefined {
    return stateDigest(this.top, this.machine.kernel, layout, this.threads, this.memory.buffers(), keepsLive);
  }

  image(): HeapImage {
    this.settle();
    return takeImage(this.memory.buffers(), (name) => this.memory.usedBytesOf(name), this.machine.kernel);
  }

  restore(image: HeapImage): void {
    this.known = undefined;
    this.layer?.forget();
    putImage(image, this.memory.buffers(), (name) => this.memory.usedBytesOf(name), this.machine.kernel);
  }
}
