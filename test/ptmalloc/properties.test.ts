import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkBlocks } from '../helpers/check-blocks.ts';
import { eventsFrom, glibcRun } from './run.ts';

// Sizes gather where the code changes its mind: class borders, tcache, fastbins, pages, thresholds.
const BORDERS = [0, 24, 40, 128, 136, 152, 168, 1008, 1024, 1032, 1040, 4072, 4096, 65536, 131072, 135152, 2 ** 20];
const size = fc.oneof(
  fc.constantFrom(...BORDERS).chain((b) => fc.integer({ min: Math.max(0, b - 17), max: b + 17 })),
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: 0, max: 9000 }),
  fc.integer({ min: 0, max: 3000000 }),
);
const thread = fc.constantFrom(0, 0, 1, 2);
const object = fc.integer({ min: 1, max: 30 });
const option = fc.constantFrom(
  'M_MXFAST 0',
  'M_MXFAST 160',
  'M_TRIM_THRESHOLD 0',
  'M_TOP_PAD 0',
  'M_TOP_PAD 300000',
  'M_MMAP_THRESHOLD 1',
  'M_MMAP_THRESHOLD 33554432',
  'M_MMAP_MAX 0',
  'M_PERTURB 85',
  'M_ARENA_MAX 1',
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant('m'), thread, object, size) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('c'), thread, object, size) },
  { weight: 8, arbitrary: fc.tuple(fc.constant('f'), thread, object) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('r'), thread, object, size) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constant('a'), thread, object, fc.integer({ min: 3, max: 18 }), size),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('trim'), thread, fc.constantFrom(0, 0, 100000)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('opt'), thread, option) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('te'), fc.constantFrom(1, 2)) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The steps as a trace that keeps the rules: an object is allocated when it is dead, and freed when it lives. */
function traceOf(steps: readonly Step[], touch: string): string {
  const live = new Set<number>();
  const lines = ['%htrace 1', `%touch ${touch}`];
  for (const s of steps) {
    if (s[0] === 'm' || s[0] === 'c') {
      if (live.has(s[2] as number)) continue;
      live.add(s[2] as number);
      lines.push(s[0] === 'm' ? `m ${s[1]} ${s[2]} ${s[3]}` : `c ${s[1]} ${s[2]} 1 ${s[3]}`);
    } else if (s[0] === 'a') {
      if (live.has(s[2] as number)) continue;
      live.add(s[2] as number);
      lines.push(`a ${s[1]} ${s[2]} ${2 ** (s[3] as number)} ${s[4]}`);
    } else if (s[0] === 'f') {
      if (live.delete(s[2] as number)) lines.push(`f ${s[1]} ${s[2]}`);
    } else if (s[0] === 'r') {
      lines.push(`r ${s[1]} ${s[2]} ${s[3]}`);
      if ((s[3] as number) > 0) live.add(s[2] as number);
      else live.delete(s[2] as number);
    } else {
      lines.push(s.join(' '));
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Runs the trace with every invariant checked after every event; live blocks must neither overlap nor be misaligned. */
function runChecked(trace: string, allocator: string, options = {}) {
  const { run } = glibcRun(eventsFrom(trace), allocator, { check: 'events', ...options });
  run.advance(Infinity);
  checkBlocks(run, () => 16);
  return run;
}

const program = fc.array(step, { minLength: 1, maxLength: 70 });
const touch = fc.constantFrom('full', 'first', 'none');

describe.each([
  'glibc',
  'glibc@2.41',
  'glibc@2.31:arena_max=1',
  'glibc:tcache_count=0',
  'glibc:arena_max=2,mxfast=0',
  'glibc@2.41:tcache_max=100,top_pad=0',
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
      { numRuns: 40, seed: 11 },
    );
  });
});

describe('a machine without much memory', () => {
  it.each([300000, 1000000, 140000000])('keeps every invariant under a limit of %i bytes', (rlimitAs) => {
    fc.assert(
      fc.property(program, (steps) => {
        const trace = traceOf(steps, 'full');
        try {
          runChecked(trace, 'glibc', { kernel: { rlimitAs } });
        } catch (error) {
          throw new Error(`this trace fails:\n${trace}`, { cause: error });
        }
      }),
      { numRuns: 25, seed: 12 },
    );
  });

  it('goes on with mappings where the break can not move', () => {
    const filler = 'm 0 1 100\nopt 0 M_MMAP_THRESHOLD 33554432\nopt 0 M_TOP_PAD 0\n';
    const blocks = Array.from({ length: 40 }, (_, i) => `m 0 ${i + 2} 200000`).join('\n');
    const run = runChecked(`%htrace 1\n${filler}${blocks}\nf 0 5\nf 0 6\nm 0 60 400000\n`, 'glibc', {
      kernel: { rlimitData: 4 * 2 ** 20 },
    });
    expect(run.failedRows.length).toBeGreaterThan(0);
  });
});
