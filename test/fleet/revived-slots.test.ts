import { describe, expect, test } from 'vitest';
import { type HeapSettings, Shard } from '../../fleet/engine/shard.ts';
import { emptyTimeline, type SlotTask } from '../../fleet/engine/slot-timeline.ts';
import { RevivedSlots } from '../../fleet/pool/revived-slots.ts';
import { atOnce } from '../../workloads/breathing.ts';
import { resolveWorkload } from '../../workloads/index.ts';

const SAMPLES = Float64Array.from({ length: 61 }, (_, i) => i * 1e6);
const SAME = { recyclePages: 900, processors: 2, kernel: {}, startup: undefined, after: 'nothing' } as const;

const requests = await Promise.all(
  ['blocks=120,calls=6,kept=0', 'blocks=60,calls=3,kept=128'].map(
    async (own) => (await resolveWorkload(`php-pool:requests=1,strings=1,baseline=60000,${own}`, {})).events,
  ),
);

/** Requests every half second, from a time on. */
function taskFrom(us: number, seed: number): SlotTask {
  const startUs = Float64Array.from({ length: 120 }, (_, i) => i * 5e5 + 1000 * seed);
  const first = startUs.findIndex((start) => start > us);
  return {
    startUs,
    endUs: startUs.map((start) => start + 2e5),
    request: Uint32Array.from(startUs, (_, i) => ((i * (seed + 3)) >> 2) & 1),
    lives: [{ bornUs: us, endUs: 60e6 + 1, first, last: 120 }],
  };
}

const ALLOCATORS = ['glibc@2.36', 'zendmm@8.2+glibc@2.36', 'zendmm@8.2+jemalloc@5.3.0:background_thread=true'];

describe.each(ALLOCATORS)('slots whose processes were killed, in turns: %s', (allocator) => {
  test.each([true, false])('as if each had been played by itself (remembers: %s)', (remembers) => {
    const settings: HeapSettings = { ...SAME, allocator, requests, remembers };
    const revived = new RevivedSlots(settings, SAMPLES);
    const slots = [0, 1, 2].map((slot) => ({ slot, timeline: emptyTimeline(120, SAMPLES.length), from: 0 }));
    const kill = (slot: number, sample: number) => {
      const own = slots[slot]!;
      own.from = sample;
      own.timeline.recycled.length = 0;
      own.timeline.layout.fill(-1, sample);
      revived.revive(slot, taskFrom(SAMPLES[sample - 1]!, slot), own.timeline, [], sample);
    };
    for (let sample = 0; sample < SAMPLES.length; sample++) {
      if (sample === 2) kill(0, sample);
      if (sample === 5) kill(1, sample);
      if (sample === 20) kill(0, sample);
      if (sample === 40) kill(2, sample);
      for (const { slot } of slots) revived.playTo(slot, sample);
    }
    const holdings = atOnce(revived.holdings(() => false));
    for (const { slot, timeline, from } of slots) {
      const alone = new Shard(settings).play({
        settings,
        slots: [taskFrom(SAMPLES[from - 1]!, slot)],
        samplesUs: SAMPLES,
      });
      const expected = alone.timelines[0]!;
      expect(expected.layout[from + 3]).toBeGreaterThanOrEqual(0);
      expect(timeline.residentPages.some((pages) => pages > 0)).toBe(true);
      const { first } = taskFrom(SAMPLES[from - 1]!, slot).lives[0]!;
      for (const column of ['residentPages', 'peakPages', 'faults', 'allocatorUs'] as const)
        expect([...timeline[column].subarray(first)]).toEqual([...expected[column].subarray(first)]);
      for (const column of ['withinPages', 'served'] as const)
        expect([...timeline[column].subarray(from)]).toEqual([...expected[column].subarray(from)]);
      expect(timeline.recycled).toEqual(expected.recycled);
      const layouts = (own: typeof timeline, all: readonly Int32Array[]) =>
        [...own.layout.subarray(from)].map((number) => (number < 0 ? null : [...all[number]!]));
      expect(layouts(timeline, revived.layoutsOf(slot)!)).toEqual(layouts(expected, alone.layouts));
      expect(holdings.get(slot)).toEqual(alone.holdings[0]);
    }
  });
});
