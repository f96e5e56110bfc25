import { expect, test } from 'vitest';
import type { WhatIf } from '../../../bench/study/explain/settings/what-if.ts';
import { judge } from '../../../bench/study/explain/verdict.ts';
import { facts, MIB, range, setting } from '../../helpers/what-if.ts';

const advised = setting({ setting: 'mxfast=0', rssBytes: 6 * MIB });
const told = (...others: Partial<WhatIf>[]) => {
  const { advice, answer } = judge(
    facts,
    [],
    [advised, ...others.map((over) => setting({ rssBytes: 4 * MIB, ...over }))],
  );
  expect(advice).toBe(advised);
  return answer.filter((sentence) => /^Less (may|would) stay/.test(sentence));
};

test('what leaves clearly less than what is advised has its reason, whichever bound it breaks', () => {
  expect(told({ setting: 'top_pad=0', faults: 9000 })).toEqual([
    'Less would stay with top_pad=0 (4.00 MiB), but page faults and calls grow from 2,100 to 9,100: no advice.',
  ]);
  expect(told({ cpuNs: 1700 }).join()).toMatch(
    /but work grows by 70\.0 %, a larger share than the process shrinks by:/,
  );
  expect(told({ rssPeakBytes: 14 * MIB }).join()).toContain('the peak grows from 12.0 MiB to 14.0 MiB: no advice');
  expect(told({ lockWaitNs: 501 }).join()).toContain(
    'waits for locks grow from 0 ns to 501 ns, by more than a twentieth',
  );
  expect(told({ cpuNs: 1700, lockWaitNs: 501 }).join()).toMatch(/work grows .* and waits for locks grow/);
});

test('what costs as much as it saves is passed over where another setting saves nearly as much for far less', () => {
  const cheap = setting({ setting: 'retain=false', rssBytes: 5.2 * MIB, cpuNs: 1090 });
  const dear = setting({ setting: 'dirty_decay_ms=0', rssBytes: 3.6 * MIB, cpuNs: 1580 });
  const { advice, answer } = judge(facts, [], [dear, cheap]);
  expect(advice).toBe(cheap);
  expect(answer.join(' ')).toContain(
    'Less would stay with dirty_decay_ms=0 (3.60 MiB), but work changes by +58.0 % instead of +9.0 %, by more than it saves beyond that: no advice.',
  );
  expect(
    judge(
      facts,
      [],
      [
        { ...dear, cpuNs: 1500 },
        { ...cheap, rssBytes: 8 * MIB },
      ],
    ).advice?.setting,
  ).toBe(dear.setting);
  // Twice what is saved is told at length.
  const far = judge(facts, [], [dear, { ...cheap, rssBytes: 8 * MIB }]);
  expect(far.advice?.setting).toBe('retain=false');
  expect(far.answer.join(' ')).toContain('At a price: with dirty_decay_ms=0');
});

test('what may leave less and may leave more is told with both', () => {
  const shared = { setting: 'arena_max=1', rssBytes: 5 * MIB };
  expect(told({ ...shared, orders: range(4, 7) })).toEqual([
    'Less may stay with arena_max=1 (4.00 MiB to 7.00 MiB), but some runs leave 7.00 MiB (with mxfast=0 6.00 MiB at most): no advice.',
  ]);
  expect(told({ ...shared, orders: range(4, 5.9) })).toEqual([
    'Less may stay with arena_max=1 (4.00 MiB to 5.90 MiB), but some runs leave hardly less, 5.90 MiB (with mxfast=0 6.00 MiB at most): no advice.',
  ]);
  expect(told({ ...shared, orders: range(4, 7), lockWaitNs: 501 }).join()).toMatch(
    /7\.00 MiB\), but waits for locks grow/,
  );
  expect(told({ ...shared, orders: range(5.8, 7), rssBytes: 5.8 * MIB })).toEqual([]); // hardly less
});

test('settings that break the same bounds are told together, and what sets more to no end not at all', () => {
  const moves = { faults: 9000 };
  expect(
    told(
      { ...moves, setting: 'trim_threshold=131072' },
      { ...moves, setting: 'mmap_threshold=131072', rssBytes: 3 * MIB },
      { ...moves, setting: 'mmap_threshold=131072,tcache_count=0', rssBytes: 2.8 * MIB },
      { setting: 'top_pad=0', lockWaitNs: 501 },
    ),
  ).toEqual([
    'Less would stay with mmap_threshold=131072 (3.00 MiB), but page faults and calls grow from 2,100 to 9,100: no advice. So it is with trim_threshold=131072 (4.00 MiB).',
    'Less would stay with top_pad=0 (4.00 MiB), but waits for locks grow from 0 ns to 501 ns, by more than a twentieth of the threads’ time: no advice.',
  ]);
});
