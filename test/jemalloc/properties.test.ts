import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkBlocks } from '../helpers/check-blocks.ts';
import { eventsFrom, jemallocRun } from './run.ts';

// Sizes gather where the code changes its mind: class borders, the cache's limit, pages, the oversize threshold.
const BORDERS = [0, 8, 16, 128, 1024, 4096, 14336, 16384, 32768, 65536, 262144, 2 ** 20, 2 ** 21, 2 ** 23];
const size = fc.oneof(
  fc.constantFrom(...BORDERS).chain((b) => fc.integer({ min: Math.max(0, b - 17), max: b + 17 })),
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: 0, max: 40000 }),
  fc.integer({ min: 0, max: 3000000 }),
);
const thread = fc.constantFrom(0, 0, 1, 2);
const object = fc.integer({ min: 1, max: 30 });
const step = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant('m'), thread, object, size) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('c'), thread, object, size) },
  { weight: 8, arbitrary: fc.tuple(fc.constant('f'), thread, object) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('r'), thread, object, size) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('a'), thread, object, fc.integer({ min: 3, max: 22 }), size) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('+'), fc.constantFrom(1e6, 5e7, 3e9, 2e10)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('te'), fc.constantFrom(1, 2)) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The steps as a trace that keeps the rules: an object is allocated when it is dead, and freed when it lives. */
function traceOf(steps: readonly Step[], touch: string): string {
  const live = new Set<number>();
  const lines = ['%htrace 1', `%touch ${touch}`];
  for (const s of steps) {
    const [op, t, id, third, fourth] = s as [string, number, number, number, number];
    if (op === 'm' || op === 'c' || op === 'a') {
      if (live.has(id)) continue;
      live.add(id);
      if (op === 'm') lines.push(`m ${t} ${id} ${third}`);
      else if (op === 'c') lines.push(`c ${t} ${id} 1 ${third}`);
      else lines.push(`a ${t} ${id} ${2 ** third} ${fourth}`);
    } else if (op === 'f') {
      if (live.delete(id)) lines.push(`f ${t} ${id}`);
    } else if (op === 'r') {
      lines.push(`r ${t} ${id} ${third}`);
      if (third > 0) live.add(id);
      else live.delete(id);
    } else {
      lines.push(`${op} ${t}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Runs the trace with every invariant checked after every event; live blocks must neither overlap nor be misaligned. */
function runChecked(trace: string, allocator: string, options = {}) {
  const { run } = jemallocRun(eventsFrom(trace), allocator, { check: 'events', ...options });
  run.advance(Infinity);
  expect(run.assembled.objects.handles.every((handle) => handle >= 0)).toBe(true);
  checkBlocks(run, (usable) => (usable === 8 ? 8 : 16));
  return run;
}

const program = fc.array(step, { minLength: 1, maxLength: 70 });
const touch = fc.constantFrom('full', 'first', 'none');

describe.each([
  'jemalloc',
  'jemalloc:tcache=false,dirty_decay_ms=0',
  'jemalloc:retain=false,muzzy_decay_ms=1000',
  'jemalloc:narenas=1,tcache_nslots_small_max=4,tcache_gc_incr_bytes=1024,tcache_max=65536',
  'jemalloc:dss=primary,oversize_threshold=100000',
  'jemalloc:background_thread=true,dirty_decay_ms=200',
  'jemalloc:percpu_arena=percpu,zero=true',
])('any program under %s', (allocator) => {
  it('keeps every invariant after every event', () => {
    fc.assert(
      fc.property(program, touch, (steps, written) => {
        const trace = traceOf(steps, written);
        try {
          runChecked(trace, allocator);
        } catch (error) {
          throw new Error(`this trace fails:\n${trace}`, { cause: error });
        }
      }),
      { numRuns: 20, seed: 11 },
    );
  });
});

describe('a machine without much memory', () => {
  it.each([300000, 9000000, 13000000, 40000000])('keeps every invariant under a limit of %i bytes', (rlimitAs) => {
    fc.assert(
      fc.property(program, (steps) => {
        const trace = traceOf(steps, 'full');
        try {
          runChecked(trace, 'jemalloc', { kernel: { rlimitAs } });
        } catch (error) {
          throw new Error(`this trace fails:\n${trace}`, { cause: error });
        }
      }),
      { numRuns: 10, seed: 12 },
    );
  });
});
