import { parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { sizeBytes } from '../../sim/contract/quantities.ts';
import { breathing } from '../../workloads/breathing.ts';
import type { Holdings } from '../engine/holdings.ts';
import type { Layout } from '../engine/layout.ts';
import type { RecordedParts } from '../engine/recorded-parts.ts';
import { type HeapSettings, Shard, type ShardResult, type ShardTask } from '../engine/shard.ts';
import type { SlotTask, SlotTimeline } from '../engine/slot-timeline.ts';
import type { Arrivals } from '../requests/arrivals.ts';
import type { PoolFile, Scenario } from '../scenario/scenario.ts';
import { atItsPlace, type FleetSources, pathIn, requestSource, startupSource } from '../scenario/sources.ts';
import { FirstRequests, type FirstWrites } from './first-requests.ts';
import { recordedSchedule, recordedWorkers, servedRequests } from './recorded-workers.ts';
import { RevivedSlots } from './revived-slots.ts';
import { type Schedule, type Slot, schedulePool } from './schedule.ts';

interface PreparePoolOptions {
  readonly remembers: boolean;
  readonly sources: FleetSources;
  readonly signal: AbortSignal | undefined;
}

/** A pool: who serves what, the heaps of its workers over time, and what has become of them. */
export class PoolRun {
  readonly pool: PoolFile;
  readonly schedule: Schedule;
  readonly settings: HeapSettings;
  /** Of each number in a slot's requests: the kind, among the scenario's. */
  readonly kinds: readonly number[];
  tasks: SlotTask[];
  timelines: SlotTimeline[] = [];
  /** Of each slot: the layouts that its timeline names. */
  layouts: (readonly Layout[])[] = [];
  holdings: Holdings[] = [];
  played = 0;
  met = 0;
  /** Of what was played: requests of which the request allocator's part was not. */
  layerMet = 0;
  /** Whether heaps are compared with those that were met before. */
  compares = false;
  failures = 0;
  startPages = 0;
  /** Of a worker that has served nobody. */
  startLayout: Layout | undefined;
  /** The master's heap when it forks, if it has one. */
  forkedHeap: Layout | undefined;
  /** Of a recorded pool: what each slot's process did. */
  readonly recorded: readonly RecordedParts[] | undefined;
  private samplesUs: Float64Array;
  /** Knows heaps that workers begin with. */
  private spare: Shard | undefined;
  private revived: RevivedSlots | undefined;
  private readonly firsts: FirstRequests;

  private constructor(
    pool: PoolFile,
    schedule: Schedule,
    settings: HeapSettings,
    kinds: readonly number[],
    tasks: SlotTask[],
    samplesUs: Float64Array,
    nameOf: (slot: number, request: number) => string | undefined,
    recorded?: readonly RecordedParts[],
  ) {
    this.recorded = recorded;
    this.pool = pool;
    this.schedule = schedule;
    this.settings = settings;
    this.kinds = kinds;
    this.tasks = tasks;
    this.samplesUs = samplesUs;
    this.firsts = new FirstRequests(pool, nameOf);
  }

  static async prepare(
    pool: PoolFile,
    scenario: Scenario,
    arrivals: Arrivals,
    samplesUs: Float64Array,
    { remembers, sources, signal }: PreparePoolOptions,
  ): Promise<PoolRun> {
    const kinds: number[] = [];
    const events: HeapSettings['requests'][number][] = [];
    const firstOf = new Map<number, number>();
    for (const [kind, request] of scenario.requests.entries()) {
      if (request.pool !== pool.name) continue;
      firstOf.set(kind, kinds.length);
      for (let variant = 0; variant < request.variants; variant++) {
        kinds.push(kind);
        const word = request.trace === undefined ? 'workload' : 'trace';
        events.push(
          await atItsPlace(scenario, ['requests', kind, word], () => eventsOf(request, variant, scenario, sources)),
        );
      }
    }
    const at = (word: string) => ['pools', scenario.pools.indexOf(pool), word];
    await atItsPlace(scenario, at('allocator'), () => parseAllocator(pool.allocator, scenario.machine.processors));
    const list = pool.recorded;
    const recorded =
      list === undefined
        ? undefined
        : await atItsPlace(scenario, at('recorded'), () => recordedWorkers(pathIn(scenario, list), pool, sources));
    const startupName = startupSource(pool, scenario);
    const startup =
      startupName === undefined
        ? undefined
        : await atItsPlace(scenario, at('startup'), () => sources.events(startupName));
    const settings: HeapSettings = {
      allocator: pool.allocator,
      processors: scenario.machine.processors,
      kernel: { version: scenario.machine.kernel === '6.1' ? '6.1' : '6.18', thp: scenario.machine.thp },
      startup,
      requests: events,
      after: pool.after_request,
      recyclePages: pool.recycle === undefined ? Infinity : Math.floor(sizeBytes(pool.recycle)! / 4096),
      remembers,
      remembersLayer: remembers,
    };
    if (recorded) {
      const { schedule: own, tasks } = recordedSchedule(recorded, scenario.durationUs);
      const served = await atItsPlace(scenario, at('served'), () => servedRequests(pool, recorded, scenario, sources));
      return new PoolRun(pool, own, settings, [], tasks, samplesUs, (slot, i) => served[slot]?.[i], recorded);
    }
    const schedule = await breathing(
      schedulePool(pool, arrivals, (kind) => firstOf.has(kind), scenario.durationUs),
      signal,
    );
    const numberOf = (arrival: number) => firstOf.get(arrivals.kind[arrival]!)! + arrivals.variant[arrival]!;
    const tasks = schedule.slots.map((slot) => taskOf(slot, numberOf));
    // The tasks have them now.
    for (const slot of schedule.slots) for (const list of [slot.arrival, slot.startUs, slot.endUs]) list.length = 0;
    const { requests } = scenario;
    const nameOf = (slot: number, i: number) => requests[kinds[tasks[slot]!.request[i]!]!]!.name;
    return new PoolRun(pool, schedule, settings, kinds, tasks, samplesUs, nameOf);
  }

  /** A heap to play in. Where time decides, no heap is ever met again in it. */
  openShard(): Shard {
    const shard = new Shard(this.settings);
    this.compares = shard.memo.compares;
    if (this.compares) this.spare = shard;
    return shard;
  }

  /** As if nobody had asked for anything, and at the start alone. */
  playNothing(): void {
    this.samplesUs = new Float64Array(1);
    const task = (lives: SlotTask['lives']): SlotTask => ({
      startUs: new Float64Array(0),
      endUs: new Float64Array(0),
      request: new Uint32Array(0),
      lives: lives.map((life) => ({ ...life, first: 0, last: 0 })),
    });
    this.tasks = this.tasks.map(({ lives }) => task(lives));
    if (this.recorded)
      for (const [slot, own] of this.recordedTasks().entries()) this.take([slot], new Shard(own.settings).play(own));
    else if (this.tasks.length > 0) this.take([...this.tasks.keys()], new Shard(this.settings).play(this.wholeTask()));
  }

  /** All slots as one task. */
  wholeTask(): ShardTask {
    return { settings: this.settings, slots: this.tasks, samplesUs: this.samplesUs };
  }

  /** A recorded pool: each worker has a trace of its own. */
  recordedTasks(): ShardTask[] {
    return this.recorded!.map((own, slot) => ({
      settings: { ...this.settings, recorded: own },
      slots: [this.tasks[slot]!],
      samplesUs: this.samplesUs,
    }));
  }

  /** Slots from `first` on in so many parts at most, each to be played request by request: whatever their number, the figures are the same. */
  strangeTasks(first: number, parts: number): { slots: number[]; task: ShardTask }[] {
    const count = Math.min(parts, this.tasks.length - first);
    return Array.from({ length: count }, (_, part) => {
      const slots = [...this.tasks.keys()].filter((slot) => slot >= first && (slot - first) % count === part);
      const task = {
        settings: { ...this.settings, remembers: false },
        slots: slots.map((slot) => this.tasks[slot]!),
        samplesUs: this.samplesUs,
      };
      return { slots, task };
    });
  }

  /** What has come of some slots. */
  take(slots: readonly number[], result: ShardResult): void {
    for (const [i, slot] of slots.entries()) {
      this.timelines[slot] = result.timelines[i]!;
      this.layouts[slot] = result.layouts;
      this.holdings[slot] = result.holdings[i]!;
    }
    this.startLayout ??= result.startLayout;
    if (this.settings.startup || this.recorded) this.forkedHeap ??= result.startLayout;
    this.played += result.counts.played;
    this.met += result.counts.met;
    this.layerMet += result.counts.layerMet;
    this.failures += result.failures;
    this.startPages = result.startPages;
  }

  layoutAt(slot: number, sample: number): Layout | undefined {
    const number = this.timelines[slot]!.layout[sample]!;
    return number < 0 ? undefined : this.layouts[slot]![number];
  }

  /** What the slot's process has written to by a sample without a call of the allocator, with its first requests. */
  firstWrites(slot: number, sample: number): FirstWrites {
    const begun = firstAfter(this.tasks[slot]!.startUs, this.samplesUs[sample]!);
    return this.firsts.writtenBy(slot, begun - this.timelines[slot]!.served[sample]!, begun);
  }

  /** Preloaded pages that the slot's process has written by a sample, where its requests write at places drawn evenly: on average. */
  ownPreloadPages(slot: number, sample: number): number {
    return this.preloadPagesAfter(this.timelines[slot]!.served[sample]!);
  }

  /** The same of a process that has served so many requests. */
  preloadPagesAfter(requests: number): number {
    const { preload } = this.pool;
    if (!preload) return 0;
    const all = Math.ceil(sizeBytes(preload.size)! / 4096);
    const share = all === 0 ? 0 : Math.min(1, Math.ceil(sizeBytes(preload.writes)! / 4096) / all);
    return Math.round(all * (1 - (1 - share) ** requests));
  }

  /**
   * The slot's process was killed at a time: the request that ran is lost, and what comes later meets a fresh process, or none. What is
   * before that time stays as it was.
   */
  kill(slot: number, atUs: number): void {
    const task = this.tasks[slot]!;
    const next = firstAfter(task.startUs, atUs);
    const sample = firstAfter(this.samplesUs, atUs);
    // What a recorded worker would have done in another process nobody knows.
    const later = this.pool.respawn && !this.recorded ? laterLives(task, next, atUs) : [];
    const timeline = this.timelines[slot]!;
    timeline.residentPages.fill(0, next);
    timeline.peakPages.fill(0, next);
    timeline.layout.fill(-1, sample);
    timeline.withinPages.fill(0, sample);
    timeline.served.fill(0, sample);
    timeline.recycled.splice(0, Infinity, ...timeline.recycled.filter((request) => request < next));
    this.revived ??= new RevivedSlots(this.settings, this.samplesUs, this.spare);
    this.revived.revive(slot, { ...task, lives: later }, timeline, this.layouts[slot]!, sample);
    this.layouts[slot] = this.revived.layoutsOf(slot)!;
    this.tasks[slot] = {
      ...task,
      lives: [
        ...task.lives
          .filter(({ bornUs }) => bornUs < atUs)
          .map((life) => (life.endUs > atUs ? { ...life, endUs: atUs, last: next } : life)),
        ...later,
      ],
    };
  }

  /** Makes sure that a sample of a slot is there: what killed processes were followed by is played as it is looked at. */
  playTo(slot: number, sample: number): void {
    this.revived?.playTo(slot, sample);
  }

  /** Nobody looks at any more samples. `isCut`: nor at what would have come. In steps. */
  *settle(isCut: () => boolean): Generator<void, void> {
    if (!this.revived) return;
    for (const [slot, own] of yield* this.revived.holdings(isCut)) this.holdings[slot] = own;
  }
}

function taskOf(slot: Slot, numberOf: (arrival: number) => number): SlotTask {
  return {
    startUs: Float64Array.from(slot.startUs),
    endUs: Float64Array.from(slot.endUs),
    request: Uint32Array.from(slot.arrival, numberOf),
    lives: slot.lives.map(({ bornUs, endUs, first, last }) => ({ bornUs, endUs, first, last })),
  };
}

function laterLives(task: SlotTask, next: number, atUs: number): SlotTask['lives'] {
  return task.lives.flatMap((life) => {
    if (life.endUs <= atUs) return [];
    return [life.bornUs > atUs ? life : { ...life, bornUs: atUs, first: Math.max(life.first, next) }];
  });
}

/** First place whose value is above. */
export function firstAfter(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function eventsOf(
  request: Scenario['requests'][number],
  variant: number,
  scenario: Scenario,
  sources: FleetSources,
): Promise<HeapSettings['requests'][number]> {
  if (request.trace !== undefined) {
    if (request.variants > 1) throw new UserError('found variants of a trace, expected one');
    return sources.events(requestSource(request, scenario));
  }
  const workload = requestSource(request, scenario);
  if (request.variants > 1 && /[:,]seed=/.test(workload)) {
    throw new UserError('found variants beside a seed, expected one or the other');
  }
  return sources.events(workload, variant > 0 ? { seed: variant } : {});
}
