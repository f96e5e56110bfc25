import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { comparePlacements, parsePlacements } from '../../sim/replay/compare-placements.ts';
import {
  fixture,
  readBytes,
  readEvents,
  realErrors,
  refusals,
  relativeSyscalls,
  runZend,
  sampleFigures,
  type ZendRunOptions,
} from '../helpers/zend-run.ts';

/** The recording process's one gap above its large one, under stress-5: 1 MiB, from 0xdf000 below a multiple of 2 MiB. */
const GAP: ZendRunOptions = {
  plugs: [
    [0, 0xdf],
    [0x1df, 0x400],
  ],
};

type Run = [trace: string, truth: string, allocator: string, options: ZendRunOptions];
const RUNS: Run[] = [
  ['smoke', '8.2', 'zendmm@8.2', {}],
  ['smoke', '7.1', 'zendmm@7.1', {}],
  ['smoke', '5.6-malloc', 'zendmm@5.6', {}],
  ['smoke', '5.6-mmap_anon', 'zendmm@5.6:mem_type=mmap_anon', {}],
  ['composer', '8.2', 'zendmm@8.2', {}],
  ['composer', '7.1', 'zendmm@7.1', {}],
  ['composer', '5.6-malloc', 'zendmm@5.6', {}],
  ['composer', '5.6-mmap_anon', 'zendmm@5.6:mem_type=mmap_anon', {}],
  ['stress-21', '8.2', 'zendmm@8.2', {}],
  ['stress-21', '8.2-limit', 'zendmm@8.2:memory_limit=6000000', {}],
  ['stress-5', '5.6-malloc', 'zendmm@5.6', {}],
  ['stress-5', '5.6-mmap_anon', 'zendmm@5.6:mem_type=mmap_anon', GAP],
];

describe.each(RUNS)('%s on PHP %s', (trace, truth, allocator, options) => {
  const run = runZend(allocator, readEvents(fixture(`${trace}.htrace.gz`)), options);
  const recorded = (kind: string) => fixture(`${trace}.${truth}.${kind}`);

  it('puts every block where the real one does', () => {
    const real = parsePlacements(readBytes(recorded('placements.gz')));
    const outcome = comparePlacements(parsePlacements(run.placements), real);
    expect(outcome.reasons).toEqual({});
    expect([outcome.agree, outcome.total]).toEqual([real.length, real.length]);
  });

  if (existsSync(recorded('samples.jsonl')))
    it('has the real numbers at every sample', () => {
      const { model, real } = sampleFigures(run, readFileSync(recorded('samples.jsonl'), 'utf8'));
      expect(real.length).toBeGreaterThan(0);
      expect(model).toEqual(real);
    });

  if (existsSync(recorded('syscalls.txt')))
    it('makes the real system calls', () => {
      const real = readFileSync(recorded('syscalls.txt'), 'utf8').trim().split('\n');
      expect(relativeSyscalls(run.syscalls)).toEqual(real);
    });

  if (truth.endsWith('limit'))
    it('refuses with the real messages', () => {
      const real = realErrors(readFileSync(recorded('samples.jsonl'), 'utf8'));
      expect(real.length).toBe(21);
      expect(refusals(run)).toEqual(real);
    });
});
