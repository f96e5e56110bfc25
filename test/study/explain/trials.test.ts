import { expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import type { Facts } from '../../../bench/study/explain/explanation.ts';
import { settingName } from '../../../bench/study/explain/settings/setting.ts';
import { pairsOf } from '../../../bench/study/explain/settings/trials.ts';
import { trialOf, type WhatIf } from '../../../bench/study/explain/settings/what-if.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

const MIB = 1024 * 1024;
const program = {
  events: eventsOf(['tb 1', 'm 1 1 100000', 'm 0 2 100000']),
  workload: 'test',
  cpus: 2,
};

/** Settings of jemalloc with what each leaves, and its faults: which are run two at a time. */
function pairs(...tried: readonly (readonly [Record<string, string>, number, number])[]): string[] {
  return pairsUnder('jemalloc', ...tried);
}

function pairsUnder(
  allocator: string,
  ...tried: readonly (readonly [Record<string, string | number>, number, number])[]
) {
  const options = { ...program, spec: parseAllocator(allocator, 2) };
  const seen = explain({ ...options, whatIf: false });
  const facts: Facts = { ...seen, sample: { ...seen.sample, rssBytes: 100 * MIB } };
  const trials = tried.map(
    ([given, ,]) => trialOf(options, 3, { allocator, options: given, about: 'a test' }, 'usual')!,
  );
  const whatIf = tried.map(
    ([, rssBytes, faults]) =>
      ({ rssBytes: rssBytes * MIB, faults, syscalls: 0, failed: false, paste: {} }) as unknown as WhatIf,
  );
  return pairsOf(options, facts, trials, whatIf).map(({ setting }) => settingName(setting));
}

test('of settings that set the same option the cheapest near the best is combined with what sets another', () => {
  const decay = { dirty_decay_ms: '1000', background_thread: 'true' };
  expect(
    pairs(
      [{ dirty_decay_ms: '0' }, 30, 90_000],
      [decay, 32, 30_000],
      [{ background_thread: 'true' }, 80, 10_000],
      [{ narenas: '1' }, 60, 9_000],
    ),
  ).toEqual(['background_thread=true,dirty_decay_ms=1000,narenas=1']);
  expect(pairs([{ dirty_decay_ms: '0' }, 30, 90_000], [decay, 36, 30_000], [{ narenas: '1' }, 60, 9_000])).toEqual([
    'dirty_decay_ms=0,narenas=1',
  ]);
});

test('nothing is combined where one does enough, or where all set the same', () => {
  expect(pairs([{ dirty_decay_ms: '0' }, 10, 0], [{ narenas: '1' }, 60, 0])).toEqual([]);
  expect(pairs([{ dirty_decay_ms: '0' }, 50, 0], [{ dirty_decay_ms: '1000' }, 60, 0])).toEqual([]);
});

test('thresholds of malloc are combined with other options, not with each other: any of them fixes both', () => {
  expect(
    pairsUnder(
      'glibc',
      [{ mmap_threshold: 65536 }, 47, 42_000],
      [{ top_pad: 0 }, 48, 41_700],
      [{ trim_threshold: 131072 }, 48, 42_000],
      [{ mxfast: 0 }, 64, 23_000],
    ),
  ).toEqual(['mxfast=0,top_pad=0']);
});
