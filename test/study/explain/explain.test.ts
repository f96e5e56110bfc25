import { describe, expect, test } from 'vitest';
import { LockstepRun } from '../../../bench/run/modes/lockstep.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import { explanationText } from '../../../bench/study/explain/text.ts';
import { breakdownBytes } from '../../../sim/metrics/breakdown.ts';
import { bumpOptions } from '../../helpers/bump-run.ts';

/** A small block above a large dead one: the classic pin. */
const PINNED = ['m 0 1 1048576', 'm 3 2 4112', 'm 0 3 500000', 'f 0 1', 'f 0 3', '= after'];

describe('explain', () => {
  test('areas add up to the resident bytes, class by class', () => {
    const e = explain({ ...bumpOptions(PINNED), whatIf: false });
    const sum = e.areas.reduce((total, a) => total + a.residentBytes, 0);
    expect(sum).toBe(e.sample.rssBytes);
    for (const area of e.areas) expect(breakdownBytes(area.breakdown)).toBe(area.residentBytes);
    for (const name of ['requested', 'slack', 'metadata', 'cached', 'pinned', 'returnable'] as const) {
      expect(e.areas.reduce((total, a) => total + a.breakdown[name], 0)).toBe(e.sample.breakdown[name]);
    }
    expect(e.areas.reduce((total, a) => total + a.withinSlabsBytes, 0)).toBe(e.sample.withinSlabsBytes);
  });

  test('the block that keeps the heap from shrinking ranks first, and freeing it returns what was said', () => {
    const e = explain({ ...bumpOptions(PINNED), whatIf: false });
    const [first] = e.pinning;
    expect(first!.blocks.map((b) => b.event)).toEqual([1]);
    expect(first!.blocks[0]!.thread).toBe(3);
    expect(first!.by).toBe('free');
    const run = new LockstepRun(bumpOptions([...PINNED, 'f 3 2']));
    run.advance(PINNED.length);
    const before = run.assembled.machine.kernel.residency.residentPages();
    run.advance(PINNED.length + 1);
    const after = run.assembled.machine.kernel.residency.residentPages();
    expect(first!.returnsBytes).toBe((before - after) * 4096);
  });

  test('a predicted trim is what a trim then returns', () => {
    const e = explain({ ...bumpOptions(PINNED), whatIf: false });
    const run = new LockstepRun(bumpOptions([...PINNED, 'trim 0 0']));
    run.advance(PINNED.length);
    const before = run.assembled.machine.kernel.residency.residentPages();
    run.advance(PINNED.length + 1);
    expect(e.returns[0].returnsBytes).toBe((before - run.assembled.machine.kernel.residency.residentPages()) * 4096);
    expect(e.returns[0].returnsBytes).toBeGreaterThan(1_000_000);
    expect(e.verdict.kind).toBe('retention by policy');
  });

  test('what has grown from quarter to quarter is called a leak', () => {
    const lines = Array.from({ length: 400 }, (_, i) => [
      `m 0 ${i + 1} 5000`,
      ...Array.from({ length: 6 }, () => ['m 0 999 90', 'f 0 999']).flat(),
    ]).flat();
    expect(explain({ ...bumpOptions(lines), whatIf: false }).verdict.kind).toBe('leak');
  });

  test('nothing resident is no problem', () => {
    const e = explain({ ...bumpOptions(['= empty']), whatIf: false });
    expect(e.verdict.kind).toBe('nothing');
    expect(e.pinning).toEqual([]);
    expect(explanationText(e)).toContain('Nothing is resident.');
  });

  test('says it in words', () => {
    const text = explanationText(explain({ ...bumpOptions(PINNED), whatIf: false }));
    expect(text).toMatch(/Retention by policy: .* of .* resident/);
    expect(text).toMatch(/1 block of 4,112 bytes \(event 1, thread 3\) holds/);
  });
});
