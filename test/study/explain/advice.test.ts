import { describe, expect, test } from 'vitest';
import { adviseOn, isFair, LEAST_SAVING, ownBytes } from '../../../bench/study/explain/advice.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import type { Facts } from '../../../bench/study/explain/explanation.ts';
import { judge } from '../../../bench/study/explain/verdict.ts';
import type { WhatIf } from '../../../bench/study/explain/what-if.ts';
import { bumpOptions } from '../../helpers/bump-run.ts';

const MIB = 1024 * 1024;
const {
  whatIf: _none,
  verdict: _verdict,
  schema: _schema,
  partial: _partial,
  ...seen
} = explain({
  ...bumpOptions(['m 0 1 100000']),
  whatIf: false,
});
const facts: Facts = {
  ...seen,
  sample: { ...seen.sample, rssBytes: 10 * MIB, faults: 2000, syscalls: { ...seen.sample.syscalls, brk: 100 } },
  rssPeakBytes: 12 * MIB,
  times: { cpuNs: 1000, lockWaitNs: 0, threadNs: 10_000 },
};

const setting = (over: Partial<WhatIf>): WhatIf => ({
  setting: 'top_pad=0',
  about: 'a test',
  mechanism: 'usual',
  allocator: 'glibc:top_pad=0',
  rssBytes: 5 * MIB,
  orders: null,
  rssPeakBytes: 12 * MIB,
  vszBytes: 20 * MIB,
  breakdown: seen.sample.breakdown,
  faults: 2000,
  syscalls: 100,
  workNs: 1000,
  cpuNs: 1000,
  lockWaitNs: 0,
  failed: false,
  thp: null,
  paste: { shell: 'X=1', systemd: 'Environment=X=1', dockerfile: 'ENV X=1' },
  ...over,
});

describe('what a setting saves against what it costs', () => {
  test('work may grow by the share that the process gets smaller, or by what was allowed', () => {
    expect(isFair(facts, setting({ cpuNs: 1500 }), {})).toBe(true);
    expect(isFair(facts, setting({ cpuNs: 1510 }), {})).toBe(false);
    expect(isFair(facts, setting({ cpuNs: 1510 }), { allowedWork: 0.6 })).toBe(true);
    expect(isFair({ ...facts, times: null }, setting({ cpuNs: null }), {})).toBe(true);
  });

  test('faults and calls that move memory back and forth, a higher peak, longer waits for locks', () => {
    expect(isFair(facts, setting({ faults: 4100 }), {})).toBe(true);
    expect(isFair(facts, setting({ faults: 4200 }), {})).toBe(false);
    expect(isFair(facts, setting({ faults: 4200, rssBytes: MIB }), {})).toBe(true); // fewer than the pages saved
    expect(isFair(facts, setting({ rssPeakBytes: 14 * MIB }), {})).toBe(false);
    expect(isFair(facts, setting({ lockWaitNs: 500 }), {})).toBe(true);
    expect(isFair(facts, setting({ lockWaitNs: 501 }), {})).toBe(false);
  });

  test('a twentieth of the process counts, stacks and data with it, and never less than glibc leaves free itself', () => {
    const best = (over: Partial<Facts>, saved: number) =>
      adviseOn({ ...facts, ...over }, [], [setting({ rssBytes: (over.sample ?? facts.sample).rssBytes - saved })]).best;
    expect(best({}, 0.5 * MIB)).not.toBeNull();
    expect(best({}, 0.49 * MIB)).toBeNull();
    const process = {
      ...{ label: 'exit', event: 1, heap: 0, recorder: 0, vmRss: 0, difference: 0, inBlocks: 0 },
      ...{ anonymous: 6 * MIB, stack: 2 * MIB, data: 2 * MIB, files: 90 * MIB },
    };
    expect(ownBytes({ ...facts, process })).toBe(20 * MIB);
    expect(best({ process }, 0.99 * MIB)).toBeNull();
    expect(best({ process }, MIB)).not.toBeNull();
    const small = { sample: { ...facts.sample, rssBytes: MIB } };
    expect(best(small, LEAST_SAVING - 1)).toBeNull();
    expect(best(small, LEAST_SAVING)).not.toBeNull();
  });

  test('what is too slow is told with its price and is no advice', () => {
    const slow = setting({ cpuNs: 1900 });
    const verdict = judge(facts, [], [slow]);
    expect(verdict.advice).toBeNull();
    expect(verdict.answer.join(' ')).toMatch(
      /Nothing to gain .* At a price: with top_pad=0 .*\+90\.0 %.* --allow-work/,
    );
    expect(judge(facts, [], [slow], false, { allowedWork: 0.9 }).advice).toBe(slow);
    expect(judge(facts, [], [slow, setting({ setting: 'mxfast=0', rssBytes: 6 * MIB })]).advice?.setting).toBe(
      'mxfast=0',
    );
  });

  test('of two that save about as much the one that holds in every order of the threads, though it costs more', () => {
    const shared = setting({ setting: 'narenas=2', rssBytes: 2.4 * MIB, faults: 500 });
    const certain = setting({ setting: 'thp=never', rssBytes: 2 * MIB, faults: 3000 });
    expect(adviseOn(facts, [], [shared, certain]).best).toBe(certain);
    expect(adviseOn(facts, [], [shared, { ...certain, rssBytes: 2.91 * MIB }]).best).toBe(shared);
  });

  test('fewer faults: each page more that stays must spare eight of them', () => {
    const moves = { mechanism: 'back and forth', bytes: 0, sentences: [], settings: [], lowers: 'faults' as const };
    const busy = { ...facts, sample: { ...facts.sample, rssBytes: MIB, faults: 20_000 } };
    const pages = (kept: number) => setting({ faults: 4000, rssBytes: MIB + kept * 4096 });
    expect(adviseOn(busy, [moves], [pages(2000)])).toMatchObject({ lowers: 'faults', best: { faults: 4000 } });
    expect(adviseOn(busy, [moves], [pages(2001)])).toMatchObject({ lowers: 'rssBytes', best: null });
  });
});
