import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { SITE_CLASSES } from '../../../bench/report/sites/stacks.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import { bySiteSteps } from '../../../bench/study/explain/heap/by-site.ts';
import { explanationText } from '../../../bench/study/explain/text.ts';
import { type EventBuffer, isAllocating, OP_MASK } from '../../../sim/contract/event.ts';
import { atOnce } from '../../../workloads/breathing.ts';
import { resolveWorkload } from '../../../workloads/index.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

/** The same events with call sites: `main` calls as many functions, each of which calls as many, by the row. */
function sited(events: EventBuffer, width: number): EventBuffer {
  const names = ['', 'main', ...Array.from({ length: width * 2 }, (_, i) => `f${i}`)];
  const parents = [0, 0];
  const frames = [0, 1];
  for (let i = 0; i < width; i++) {
    parents.push(1);
    frames.push(2 + i);
  }
  for (let i = 0; i < width; i++) {
    parents.push(2 + i);
    frames.push(2 + width + i);
  }
  return {
    ...events,
    sites: Int32Array.from({ length: events.length }, (_, row) =>
      isAllocating(events.head[row]! & OP_MASK) && row % 11 !== 0 ? 1 + (row % (2 * width + 1)) : 0,
    ),
    frames: names.map((functionName) => ({ functionName, file: '', line: 0, module: '' })),
    siteParent: Int32Array.from(parents),
    siteFrame: Int32Array.from(frames),
  };
}

describe.each(['glibc', 'jemalloc', 'zendmm+glibc', 'zendmm:all=true', 'zendmm@5.6', 'glibc:arena_max=1'])(
  'bytes by call site under %s',
  (allocator) => {
    const profile = allocator.startsWith('zend') ? 'requests' : 'mix';

    test('add up to the classes of the sample at any event', async () => {
      const { events } = await resolveWorkload(`stress:profile=${profile},events=4000`, { seed: 3 });
      const options = { events: sited(events, 7), workload: 'x', spec: parseAllocator(allocator, 4), cpus: 4 };
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: events.length - 1 }), async (at) => {
          const e = explain({ ...options, at: `#${at}`, whatIf: false });
          const sum = (name: (typeof SITE_CLASSES)[number]) => e.sites!.reduce((total, s) => total + s[name], 0);
          const { requested, slack, cached, pinned, returnable } = e.sample.breakdown;
          const { withinSlabsBytes } = e.sample;
          expect([sum('held'), sum('pinned'), sum('freed')]).toEqual([
            requested + slack,
            pinned + withinSlabsBytes,
            cached + pinned + returnable,
          ]);
          expect(e.sites!.every((s) => SITE_CLASSES.every((name) => Number.isInteger(s[name]) && s[name] >= 0))).toBe(
            true,
          );
          expect(atOnce(bySiteSteps(options, at + 1))).toEqual(e.sites);
          expect(explanationText(e)).not.toMatch(/NaN|undefined/);
        }),
        { numRuns: 6, seed: 1 },
      );
    });
  },
);

test('who holds, who pins and whose memory it was are told apart', () => {
  const lines: string[] = [];
  for (let i = 0; i < 200; i++) lines.push(`m 0 ${2 * i} 1000`, `m 0 ${2 * i + 1} 3000`);
  for (let i = 0; i < 200; i++) lines.push(`f 0 ${2 * i + 1}`);
  const events = eventsOf(lines);
  const given: EventBuffer = {
    ...events,
    sites: Int32Array.from({ length: events.length }, (_, row) => (row < 400 ? 2 + (row % 2) : 0)),
    frames: ['', 'main', 'small', 'large'].map((functionName) => ({ functionName, file: '', line: 0, module: '' })),
    siteParent: Int32Array.of(0, 0, 1, 1),
    siteFrame: Int32Array.of(0, 1, 2, 3),
  };
  const e = explain({ events: given, workload: 'x', spec: parseAllocator('glibc', 1), cpus: 1, whatIf: false });
  const by = new Map(e.sites!.map((s) => [s.stack.join('<'), s]));
  expect(by.get('main<small')!.held).toBeGreaterThanOrEqual(200_000);
  expect(by.get('main<large')!.held).toBe(0);
  expect(by.get('main<small')!.pinned / e.sample.breakdown.pinned).toBeGreaterThan(0.9);
  expect(by.get('main<large')!.freed).toBeGreaterThan(550_000);
  const text = explanationText(e).replace(/\s+/g, ' ');
  expect(text).toMatch(/blocks allocated at small keep/);
  expect(text).toMatch(/were blocks last that were allocated at large/);
});
