import type { HeapImage } from '../engine/heap-image.ts';
import { type Holdings, holdingsOf } from '../engine/holdings.ts';
import type { Layout } from '../engine/layout.ts';
import { type HeapSettings, Shard } from '../engine/shard.ts';
import { LayoutTable, playSlot, type SlotProgress, type SlotTask, type SlotTimeline } from '../engine/slot-timeline.ts';

/** A slot whose process was killed, from then on. */
interface Revived {
  readonly steps: Generator<SlotProgress, SlotTimeline>;
  readonly layouts: LayoutTable;
  /** First sample behind the kill. */
  readonly sample: number;
  at: SlotProgress | undefined;
  image: HeapImage | undefined;
  samples: number;
  holdings: Holdings | undefined;
}

/** So many samples are played beyond the one that is looked at, at most. */
const AHEAD = 16;

/**
 * Workers that took the places of killed ones. Each may be killed too, so its heap is played only a little further than somebody looks:
 *
 *     kill            looked at        played
 *      ├────────────────┤────────────────┤ · · · end
 *        so far            as far again, at most AHEAD
 *
 * However many are killed, no more than twice is played of what is looked at.
 */
export class RevivedSlots {
  private readonly settings: HeapSettings;
  private readonly samplesUs: Float64Array;
  private readonly slots = new Map<number, Revived>();
  private shard: Shard | undefined;
  /** Whose heap the shard holds, where no state says it. */
  private held: Revived | undefined;

  /** `shard`: one that knows heaps already. */
  constructor(settings: HeapSettings, samplesUs: Float64Array, shard?: Shard) {
    this.settings = settings;
    this.samplesUs = samplesUs;
    this.shard = shard;
  }

  /** From `sample` on the slot does what is in `task`, behind what its timeline has. */
  revive(slot: number, task: SlotTask, timeline: SlotTimeline, layouts: readonly Layout[], sample: number): void {
    this.shard ??= new Shard(this.settings);
    const { heap, memo } = this.shard;
    const table = new LayoutTable(layouts);
    const generation = Math.max(0, ...timeline.generation.subarray(0, sample)) + 1;
    timeline.generation.fill(generation, sample);
    const own: Revived = {
      steps: playSlot(task, {
        heap,
        memo,
        layouts: table,
        samplesUs: this.samplesUs,
        recyclePages: this.settings.recyclePages,
        atEnd: (place) => {
          memo.bringTo(place);
          own.holdings = holdingsOf(heap);
        },
        before: { timeline, sample, generation },
      }),
      layouts: table,
      sample,
      at: undefined,
      image: undefined,
      samples: sample,
      holdings: undefined,
    };
    if (this.held === this.slots.get(slot)) this.held = undefined;
    this.slots.set(slot, own);
  }

  /** Makes sure that a sample of a slot is there. */
  playTo(slot: number, sample: number): void {
    const own = this.slots.get(slot);
    if (!own || own.holdings || own.samples > sample) return;
    this.play(own, sample + Math.min(AHEAD, sample - own.sample) + 1);
  }

  /** Layouts by number, of a slot that was killed. */
  layoutsOf(slot: number): readonly Layout[] | undefined {
    return this.slots.get(slot)?.layouts.layouts;
  }

  /** What each such slot's process holds: at the end, or, from when `isCut` says so, as far as it was played. In steps. */
  *holdings(isCut: () => boolean): Generator<void, Map<number, Holdings>> {
    const found = new Map<number, Holdings>();
    for (const [slot, own] of this.slots) {
      while (own.samples !== Number.POSITIVE_INFINITY && !isCut()) {
        this.advance(own);
        yield;
      }
      const held = own.holdings ?? (own.at && this.holdingsNow(own));
      if (held) found.set(slot, held);
    }
    return found;
  }

  private holdingsNow(own: Revived): Holdings {
    const { heap, memo } = this.shard!;
    this.take(own);
    memo.bringTo(own.at!.place);
    return holdingsOf(heap);
  }

  private play(own: Revived, samples: number): void {
    while (own.samples < samples) this.advance(own);
  }

  private advance(own: Revived): void {
    this.take(own);
    const step = own.steps.next();
    if (step.done) {
      own.samples = Number.POSITIVE_INFINITY;
      return;
    }
    own.at = step.value;
    own.samples = step.value.samples;
  }

  /** The shard's heap is that of `own` now. */
  private take(own: Revived): void {
    const { held } = this;
    if (held === own) return;
    const { memo } = this.shard!;
    if (held?.at && !held.holdings) held.image = memo.imageAt(held.at.place);
    if (own.image) memo.putBack(own.image);
    own.image = undefined;
    this.held = own;
  }
}
