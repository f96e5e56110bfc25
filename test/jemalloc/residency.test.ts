import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { assemble } from '../../bench/run/machine.ts';
import type { Allocator } from '../../sim/contract/allocator.ts';
import type { EventBuffer, Touch } from '../../sim/contract/event.ts';
import { uncontendedLocks } from '../../sim/contract/locks.ts';
import { KERNEL_DEFAULTS } from '../../sim/kernel/kernel.ts';
import { createLockstep } from '../../sim/replay/lockstep.ts';
import { eventsFrom } from './run.ts';

/**
 * Runs events one by one; the faults and resident pages after each. `looksAlways`: every fresh block's pages are marked by
 * a touchBlock of its own, in place of what the model knows of the blocks in its caches.
 */
function residencyOf(events: EventBuffer, spec: string, touch: Touch, looksAlways: boolean): string[] {
  const { machine, objects, allocator, request } = assemble({
    spec: parseAllocator(spec, 2),
    events,
    cpus: 2,
    touch,
    kernel: KERNEL_DEFAULTS,
    locks: uncontendedLocks,
  });
  const { mallocTouched, ...plain } = allocator;
  expect(mallocTouched).toBeDefined();
  const { run } = createLockstep({
    events,
    objects,
    kernel: machine.kernel,
    allocator: looksAlways ? (plain as Allocator) : allocator,
    request,
    touches: true,
    onFailure: () => {},
  });
  const { residency } = machine.kernel;
  const seen: string[] = [];
  for (let row = 0; row < events.length; row++) {
    run(row, row + 1);
    allocator.check();
    seen.push(`${row}: ${residency.residentPages()} resident, ${residency.faults()} faults`);
  }
  return seen;
}

// Classes whose regions cross pages, asked for with any size of the class: 0 and 1, 33 to 48, 2561 to 3072, 12289 to 14336 …
const CLASSES = [
  [0, 1],
  [33, 48],
  [321, 384],
  [2561, 3072],
  [5121, 6144],
  [12289, 14336],
  [16385, 20480],
  [28673, 32768],
  [40961, 49152],
] as const;
const size = fc.constantFrom(...CLASSES).chain(([min, max]) => fc.integer({ min, max }));
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('m' as const), size, thread: fc.constantFrom(0, 0, 1) }) },
  {
    weight: 8,
    arbitrary: fc.record({ op: fc.constant('f' as const), pick: fc.nat(), thread: fc.constantFrom(0, 0, 1) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('r' as const), pick: fc.nat(), size }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('c' as const), size }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('a' as const), size }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('+' as const), ns: fc.constantFrom(5e7, 2e10) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function traceOf(steps: readonly Step[], touch: Touch): string {
  const live: number[] = [];
  const lines = ['%htrace 1', `%touch ${touch}`];
  let id = 0;
  for (const s of steps) {
    if (s.op === '+') {
      lines.push(`+ ${s.ns}`);
    } else if (s.op === 'f' || s.op === 'r') {
      if (live.length === 0) continue;
      const i = s.pick % live.length;
      if (s.op === 'f') lines.push(`f ${s.thread} ${live.splice(i, 1)[0]}`);
      else lines.push(`r 0 ${live[i]} ${Math.max(1, s.size)}`);
    } else {
      live.push(++id);
      if (s.op === 'm') lines.push(`m ${s.thread} ${id} ${s.size}`);
      else if (s.op === 'c') lines.push(`c 0 ${id} 1 ${s.size}`);
      else lines.push(`a 0 ${id} 64 ${s.size}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

it.each([
  'jemalloc',
  'jemalloc:narenas=1,tcache_nslots_small_max=4,tcache_nslots_large=2,tcache_gc_incr_bytes=1024,tcache_max=65536',
  'jemalloc:dirty_decay_ms=0,tcache_max=4096',
  'jemalloc:muzzy_decay_ms=1000,dirty_decay_ms=100',
])('pages are the same as if each fresh block were looked at: %s', (spec) => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 120 }),
      fc.constantFrom<Touch[]>('full', 'first'),
      (steps, touch) => {
        const events = eventsFrom(traceOf(steps, touch));
        expect(residencyOf(events, spec, touch, false)).toEqual(residencyOf(events, spec, touch, true));
      },
    ),
    { numRuns: 12, seed: 21 },
  );
});
