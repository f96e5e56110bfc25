import { describe, expect, test } from 'vitest';
import { adviseOn, isFair, LEAST_SAVING, ownBytes } from '../../../bench/study/explain/advice/advice.ts';
import type { Facts } from '../../../bench/study/explain/explanation.ts';
import type { WhatIf } from '../../../bench/study/explain/settings/what-if.ts';
import { judge } from '../../../bench/study/explain/verdict.ts';
import { facts, MIB, range, setting } from '../../helpers/what-if.ts';

test('what a background thread gives back hangs on when it wakes', () => {
  const told = (name: string) =>
    judge(facts, [], [setting({ setting: name, allocator: `jemalloc:${name}` })]).answer.join(' ');
  expect(told('background_thread=true,dirty_decay_ms=1000')).toContain('up to 2.00 s behind them a real run may still');
  expect(told('background_thread=true')).toContain('up to 20.0 s behind them');
  expect(told('background_thread=true,dirty_decay_ms=0')).not.toContain('wakes');
  expect(told('dirty_decay_ms=1000')).not.toContain('wakes');
});

test('what several mechanisms account for together, beyond what is free, is said to overlap', () => {
  const { breakdown } = facts.sample;
  const free = { ...breakdown, cached: 0, pinned: MIB, returnable: 5 * MIB, requested: 4 * MIB };
  const held = { ...facts, sample: { ...facts.sample, breakdown: free } };
  const finding = (mechanism: string, bytes: number) => ({ mechanism, bytes, sentences: [], settings: [] });
  const ends = finding('thresholds', 3.5 * MIB);
  const told = (bytes: number, name = 'memalign splinters') =>
    judge(held, [ends, finding(name, bytes)]).sentences.join(' ');
  expect(told(3 * MIB)).toContain('These figures overlap');
  expect(told(2.5 * MIB)).not.toContain('overlap');
  expect(told(8 * MIB, 'library memory')).not.toContain('overlap'); // it lives
});

describe('what a setting saves against what it costs', () => {
  test('work may grow by the share that the process gets smaller, or by what was allowed', () => {
    expect(isFair(facts, setting({ cpuNs: 1500 }), {})).toBe(true);
    expect(isFair(facts, setting({ cpuNs: 1510 }), {})).toBe(false);
    expect(isFair(facts, setting({ cpuNs: 1510 }), { allowedWork: 0.6 })).toBe(true);
    expect(isFair({ ...facts, times: null }, setting({ cpuNs: null }), {})).toBe(true);
  });

  test('work is a share of what the program takes in all, where that is known to be more than what is simulated', () => {
    const known = { ...facts, programNs: 4000 };
    expect(isFair(known, setting({ cpuNs: 3000 }), {})).toBe(true);
    expect(isFair(known, setting({ cpuNs: 3010 }), {})).toBe(false);
    expect(isFair({ ...facts, programNs: 100 }, setting({ cpuNs: 1500 }), {})).toBe(true);
    expect(isFair({ ...facts, programNs: 100 }, setting({ cpuNs: 1510 }), {})).toBe(false);
    const told = (programNs: number | null, cpuNs: number) =>
      judge({ ...facts, programNs }, [], [setting({ cpuNs })]).answer.join(' ');
    expect(told(4000, 3000)).toContain(
      'of the 4.00 µs of processor time that the recorded program took in all that is +50.0 %.',
    );
    expect(told(100, 1500)).toContain(
      'the recorded program took 100 ns of processor time in all, no more than is simulated.',
    );
    expect(told(null, 1500)).toContain('what the program computes beside it is not counted.');
    expect(told(4000, 3100)).toContain('as many per cent more of the program’s processor time as it saves');
  });

  test('of threads that share heaps the faults of virtual time count', () => {
    const shared = { setting: 'arena_max=1', timedSyscalls: 100 };
    expect(isFair(facts, setting({ ...shared, faults: 9000, timedFaults: 3000 }), {})).toBe(true);
    expect(isFair(facts, setting({ ...shared, faults: 2000, timedFaults: 9000 }), {})).toBe(false);
    expect(isFair(facts, setting({ faults: 2000, timedFaults: 9000, timedSyscalls: 100 }), {})).toBe(true);
  });

  test('faults and calls that move memory back and forth, a higher peak, longer waits for locks', () => {
    expect(isFair(facts, setting({ faults: 4100 }), {})).toBe(true);
    expect(isFair(facts, setting({ faults: 4200 }), {})).toBe(false);
    expect(isFair(facts, setting({ faults: 4200, rssBytes: MIB }), {})).toBe(true); // fewer than the pages saved
    expect(isFair(facts, setting({ rssPeakBytes: 14 * MIB }), {})).toBe(false);
    expect(isFair(facts, setting({ lockWaitNs: 500 }), {})).toBe(true);
    expect(isFair(facts, setting({ lockWaitNs: 501 }), {})).toBe(false);
  });

  test('what saves far more for more than a fair price is named beside what is advised, with that price', () => {
    const fair = setting({ rssBytes: 9 * MIB });
    const dear = setting({ setting: 'mmap_threshold=131072', rssBytes: 2 * MIB, cpuNs: 3000 });
    const { advice, answer } = judge(facts, [], [fair, dear]);
    expect(advice).toBe(fair);
    expect(answer.join(' ')).toMatch(
      /^With top_pad=0 .* At a price: with mmap_threshold=131072 .* Prices know no caches/,
    );
    expect(answer.join(' ')).not.toContain('would leave 2.00 MiB, but');
    expect(adviseOn(facts, [], [fair, { ...dear, rssBytes: 8.5 * MIB }]).costly).toBeNull();
  });

  test('nor where its peak was another, and no look of the recorder tells of the moment', () => {
    const at = { label: 'exit', event: 9, heap: MIB, anonymous: 0, stack: 0, data: 0 };
    const process = { ...at, files: 0, recorder: 0, vmRss: MIB, difference: 0, inBlocks: 0 };
    const recording = { under: null, hadHugePages: false, zeroBytes: 0, ownHugeBytes: 0, advisedBytes: 0 };
    const judged = (recordedBytes: number) => {
      const peak = { recordedBytes, simulatedBytes: 12 * MIB };
      return judge(
        { ...facts, process, processEventsLater: 500, recording: { ...recording, peak } },
        [],
        [setting({})],
      );
    };
    expect(judged(20 * MIB)).toMatchObject({ advice: null, pastes: [] });
    expect(judged(20 * MIB).answer.join()).toMatch(
      /^At its peak .* had 8\.00 MiB more .* \(20\.0 MiB, not 12\.0 MiB\)/,
    );
    expect(judged(14 * MIB).advice).not.toBeNull();
  });

  test('nothing is advised where the recorded process held far less than is simulated', () => {
    const at = { label: 'x', event: 1, heap: 10 * MIB, anonymous: 0, stack: 0, data: 0 };
    const process = { ...at, files: 0, recorder: 0, vmRss: 6 * MIB, difference: -4 * MIB, inBlocks: -4 * MIB };
    const far = judge({ ...facts, process }, [], [setting({})]);
    expect(far).toMatchObject({ advice: null, pastes: [] });
    expect(far.answer.join()).toMatch(/had 4\.00 MiB less in its heap than is simulated here \(40\.0 %\)/);
    // At a look at which about as much is simulated it counts, at one of another state not.
    expect(judge({ ...facts, process, processEventsLater: 9 }, [], [setting({})]).advice).toBeNull();
    const other = judge({ ...facts, process: { ...process, heap: MIB }, processEventsLater: 9 }, [], [setting({})]);
    expect(other.advice).not.toBeNull();
    expect(other.sentences.join(' ')).toContain('There the heap was another, 1.00 MiB: what is judged here was not');
  });

  test('that a threshold was raised is told where a fixed one makes a difference', () => {
    const raise = { mmap_threshold: [131072, 1 << 20] as const };
    const tunableChanges = [
      { event: 3, cause: 'free', causedBy: 'free' as const, blockBytes: 1 << 20, changes: raise },
    ];
    const told = (...whatIf: WhatIf[]) => judge({ ...facts, tunableChanges }, [], whatIf).sentences.join(' ');
    const fixed = { setting: 'mmap_threshold=131072' };
    expect(told()).toContain('The mmap threshold was raised');
    expect(told(setting(fixed))).toContain('The mmap threshold was raised');
    expect(told(setting({ ...fixed, rssBytes: 9.9 * MIB }))).not.toContain('raised');
    expect(told(setting({ ...fixed, rssBytes: 9.9 * MIB, faults: 9000 }))).toContain('raised');
  });

  test('a mechanism whose settings were run and help nothing says so', () => {
    const finding = (mechanism: string) => ({
      mechanism,
      bytes: 5 * MIB,
      sentences: ['It is there.'],
      settings: [{ allocator: 'glibc', options: { top_pad: 0 }, about: '' }],
    });
    const told = (rssBytes: number) =>
      judge(facts, [finding('arenas')], [setting({ rssBytes })]).mechanisms[0]!.sentences;
    expect(told(9.9 * MIB).at(-1)).toBe(
      'That alone does not keep it: hardly less would be resident with top_pad=0 (run).',
    );
    expect(told(5 * MIB)).toEqual(['It is there.']);
    const steady = setting({ rssBytes: 9.9 * MIB, orders: range(9.8, 9.9) });
    const apart = judge({ ...facts, orders: range(9.9, 17) }, [finding('arenas')], [steady]).mechanisms[0]!.sentences;
    expect(apart.slice(1)).toEqual([
      'In the order of the trace that alone does not keep it: hardly less would be resident with top_pad=0 (run).',
      'In other orders it does: they leave up to 17.0 MiB, with top_pad=0 no more than 9.90 MiB.',
    ]);
  });

  test('what breaks a bound says which, and how much work is to be allowed; that lifts the bound on faults too', () => {
    const moves = setting({ faults: 6503, cpuNs: 1357, workNs: 1344 });
    const { advice, answer } = judge(facts, [], [moves]);
    expect(advice).toBeNull();
    expect(answer.join(' ')).toMatch(
      /At a price: .* page faults and calls more than double, .* --allow-work 36 explain advises/,
    );
    expect(answer.join(' ')).not.toContain('as many per cent');
    expect(judge(facts, [], [moves], false, { allowedWork: 0.35 }).advice).toBeNull();
    expect(judge(facts, [], [moves], false, { allowedWork: 0.36 }).advice).toBe(moves);
    // Before it is timed, what was counted is all that is known.
    const untimed = { ...moves, cpuNs: null };
    expect(adviseOn(facts, [], [untimed], { allowedWork: 0.35 }).memory).toBe(untimed);
    const waits = judge(facts, [], [{ ...moves, lockWaitNs: 501 }]).answer.join(' ');
    expect(waits).toContain('Threads may wait for locks a twentieth');
    expect(waits).not.toContain('--allow-work');
    const higher = judge(facts, [], [setting({ rssPeakBytes: 14 * MIB })], false, { allowedWork: 9 });
    expect(higher.advice).toBeNull();
    expect(higher.answer.join(' ')).toContain('The peak may grow by a tenth');
  });

  test('a twentieth of the process counts, stacks and data with it, and never less than glibc leaves free itself', () => {
    const best = (over: Partial<Facts>, saved: number) =>
      adviseOn({ ...facts, ...over }, [], [setting({ rssBytes: (over.sample ?? facts.sample).rssBytes - saved })])
        .memory;
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
      /No setting is worth what it costs.* At a price: with top_pad=0 .*\+90\.0 %.* --allow-work/,
    );
    expect(judge(facts, [], [slow], false, { allowedWork: 0.9 }).advice).toBe(slow);
    expect(judge(facts, [], [slow, setting({ setting: 'mxfast=0', rssBytes: 6 * MIB })]).advice?.setting).toBe(
      'mxfast=0',
    );
  });

  test('of two that save about as much the one that holds in every order of the threads, though it costs more', () => {
    const shared = setting({ setting: 'narenas=2', rssBytes: 2.4 * MIB, faults: 500 });
    const certain = setting({ setting: 'thp=never', rssBytes: 2 * MIB, faults: 3000 });
    expect(adviseOn(facts, [], [shared, certain]).memory).toBe(certain);
    expect(adviseOn(facts, [], [shared, { ...certain, rssBytes: 2.91 * MIB }]).memory).toBe(shared);
  });

  test('what its work is in other orders is said beside the least of it', () => {
    const answer = (over: Partial<WhatIf>) => judge(facts, [], [setting({ cpuNs: 900, ...over })]).answer.join(' ');
    expect(answer({ cpuMostNs: 1300 })).toContain(
      'takes 900 ns to 1.30 µs of work instead of 1.00 µs (-10.0 % to +30.0 %, by the order of the threads’ calls)',
    );
    expect(answer({ cpuMostNs: 900 })).toContain('takes 900 ns of work instead of 1.00 µs (-10.0 %)');
    const known = { ...facts, programNs: 4000 };
    const ofProgram = judge(known, [], [setting({ cpuNs: 900, cpuMostNs: 1300 })]).answer.join(' ');
    expect(ofProgram).toContain('that is -2.5 % to +7.5 %.');
  });

  test('and the middle of both is what a setting may cost', () => {
    expect(isFair(facts, setting({ cpuNs: 1000, cpuMostNs: 1990 }), {})).toBe(true);
    expect(isFair(facts, setting({ cpuNs: 1000, cpuMostNs: 2010 }), {})).toBe(false);
  });

  test('what sets more is taken where it saves more by what is worth a setting', () => {
    const one = setting({ setting: 'arena_max=1', rssBytes: 5.7 * MIB, orders: range(5, 5.7) });
    const both = setting({ setting: 'arena_max=1,tcache_count=0', orders: range(5, 5.3), rssBytes: 5.3 * MIB });
    const other = setting({ setting: 'arena_max=1,top_pad=0', rssBytes: 5.19 * MIB });
    expect(adviseOn(facts, [], [one, both]).memory).toBe(one);
    expect(adviseOn(facts, [], [one, both, other]).memory).toBe(other);
  });

  test('what never leaves as much as some runs leave as it is, though no less than others, is said', () => {
    const held = { ...facts, orders: range(10, 17) };
    const steady = setting({ setting: 'arena_max=1', rssBytes: 10 * MIB, orders: range(10, 10.2) });
    const { advice, answer, pastes } = judge(held, [], [steady]);
    expect(pastes).toEqual([{ ...steady.paste, lead: 'It may help' }]);
    const both = judge({ ...facts, orders: range(3, 10) }, [], [setting({ orders: range(2.9, 5.9) })]).answer.join(' ');
    expect(both).toMatch(/^It may help in some runs .* leave 3\.00 MiB to 10\.0 MiB, with .* 2\.90 MiB to 5\.90 MiB,/);
    expect(advice).toBeNull();
    expect(answer.join(' ')).toMatch(
      /^It may help in some runs of the program: as it is they leave 10\.0 MiB to 17\.0 MiB, with arena_max=1 .* no more than 10\.2 MiB/,
    );
    expect(answer.join(' ')).toContain('arena_max=1 takes 1.00 µs of work');
    expect(judge({ ...facts, orders: range(10, 10.4) }, [], [steady]).answer.join(' ')).toMatch(/^Nothing to gain/);
    // In the middle 3.3 MiB of 10 are spared.
    const told = (cpuNs: number) => judge(held, [], [{ ...steady, cpuNs }]).answer.join(' ');
    expect(told(1320)).toMatch(/^It may help/);
    expect(told(1340)).toMatch(/^Nothing to gain by a setting in every run/);
  });

  test('what saves less than the order of the threads’ calls changes is no advice, and is said to be so', () => {
    const orders = { leastBytes: 6 * MIB, mostBytes: 11 * MIB, leftOut: 0, leftOutMostBytes: 0 };
    const own = { leastBytes: 4 * MIB, mostBytes: 5.8 * MIB, leftOut: 0, leftOutMostBytes: 0 };
    expect(adviseOn(facts, [], [setting({ orders: own })]).memory).not.toBeNull();
    const verdict = judge({ ...facts, orders }, [], [setting({ orders: own })]);
    expect(verdict.advice).toBeNull();
    expect(verdict.answer.join(' ')).toMatch(
      /^It may help in some runs of the program: as it is they leave 6.00 MiB to 11.0 MiB, with top_pad=0 .* 4.00 MiB to 5.80 MiB,/,
    );
    // What costs more than that may be worth is told with its price.
    const dear = judge({ ...facts, orders }, [], [setting({ orders: own, cpuNs: 1400 })]);
    expect(dear.answer.join(' ')).toMatch(
      /^It may help, but by no more than runs of the program lie apart: with top_pad=0 .* 4.00 MiB to 5.80 MiB .* \(as it is 6.00 MiB to 11.0 MiB\)/,
    );
    expect(dear.pastes).toEqual([]);
    const apart = judge({ ...facts, orders }, [], [setting({ orders: { ...own, mostBytes: 5.4 * MIB } })]);
    expect(apart.advice?.setting).toBe('top_pad=0');
    expect(apart.answer.join(' ')).not.toContain('left out');
    const some = judge(facts, [], [setting({ orders: { ...own, leftOut: 2, leftOutMostBytes: 7 * MIB } })]);
    expect(some.answer.join(' ')).toMatch(
      /2 more runs leave up to 7\.00 MiB and are left out: in them threads held more at once/,
    );
  });

  test('what saves far more for a fair price is advised, however much work another one spares', () => {
    const spares = setting({ setting: 'narenas=1', rssBytes: 6 * MIB, cpuNs: 790, workNs: 790 });
    const saves = setting({ setting: 'background_thread=true', rssBytes: 4 * MIB, cpuNs: 1090, workNs: 1090 });
    expect(adviseOn(facts, [], [spares, saves]).memory).toBe(saves);
    const dear = { ...saves, cpuNs: 1300, workNs: 1300 };
    expect(adviseOn(facts, [], [spares, dear]).memory).toBe(spares);
  });

  test('of two that save about as much the one that takes less work, where the last bytes are dearer than they are worth', () => {
    const last = setting({ setting: 'top_pad=0', rssBytes: 5 * MIB, cpuNs: 1377, mechanism: 'thresholds' });
    const nearly = setting({ setting: 'mxfast=0', rssBytes: 5.3 * MIB, cpuNs: 1047, mechanism: 'unmerged chunks' });
    const finding = (mechanism: string, bytes: number) => ({ mechanism, bytes, sentences: [], settings: [] });
    const findings = [finding('thresholds', 3 * MIB), finding('unmerged chunks', MIB)];
    expect(adviseOn(facts, findings, [last, nearly]).memory).toBe(nearly);
    expect(adviseOn(facts, findings, [{ ...last, cpuNs: 1090 }, nearly]).memory?.setting).toBe('top_pad=0');
    expect(adviseOn(facts, findings, [last, { ...nearly, rssBytes: 9 * MIB }]).memory).toBe(last); // worth it
  });

  test('of two values of an option that save about as much the default one, where it takes no more faults and calls', () => {
    const findings = [{ mechanism: 'holes of large blocks', bytes: 3 * MIB, sentences: [], settings: [] }];
    const lower = setting({ setting: 'mmap_threshold=65536', mechanism: 'holes of large blocks', syscalls: 438 });
    const usual = setting({ setting: 'mmap_threshold=131072', rssBytes: 5.1 * MIB, syscalls: 290 });
    const chosen = (...of: WhatIf[]) => adviseOn(facts, findings, of).memory?.setting;
    expect(chosen(lower, usual)).toBe(usual.setting);
    expect(chosen(lower, { ...usual, faults: 3000 })).toBe(lower.setting);
    expect(chosen(lower, { ...usual, rssBytes: 6 * MIB })).toBe(lower.setting);
    expect(chosen(lower, { ...usual, setting: 'trim_threshold=131072' })).toBe(lower.setting); // another option
  });

  test('what is better in memory, peak and work and takes no more anew is taken, though it sets more', () => {
    const one = setting({ setting: 'tcache_count=0', rssBytes: 7.4 * MIB });
    const both = setting({ setting: 'mxfast=0,tcache_count=0', rssBytes: 7 * MIB, faults: 2050, cpuNs: 990 });
    expect(adviseOn(facts, [], [one, both]).memory).toBe(both);
    for (const dearer of [{ faults: 2200 }, { cpuNs: 1010 }, { rssPeakBytes: 12.1 * MIB }, { rssBytes: 7.2 * MIB }]) {
      expect(adviseOn(facts, [], [one, { ...both, ...dearer }]).memory).toBe(one);
    }
  });

  test('work is held against what is saved in the middle of a range', () => {
    const orders = { leastBytes: 4 * MIB, mostBytes: 8 * MIB, leftOut: 0, leftOutMostBytes: 0 };
    expect(isFair(facts, setting({ orders, cpuNs: 1390 }), {})).toBe(true);
    expect(isFair(facts, setting({ orders, cpuNs: 1410 }), {})).toBe(false);
  });

  test('a range that is narrow is no figure: real runs may lie further apart', () => {
    const narrow = setting({ setting: 'arena_max=1', orders: range(5, 5.1) });
    const told = (orders: WhatIf['orders']) => judge({ ...facts, orders }, [], [narrow]).answer.join(' ');
    expect(told(range(9.9, 10))).toMatch(/hardly matters, in the orders that were run\. That is no measure/);
    expect(told(range(10, 17))).toMatch(
      /hardly matters, in the orders that were run \(as it is 10\.0 MiB to 17\.0 MiB\)/,
    );
  });

  test('a headline and a sentence say the range of runs that lie apart, and no figure of one', () => {
    const orders = { leastBytes: 2 * MIB, mostBytes: 4 * MIB, leftOut: 0, leftOutMostBytes: 0 };
    const { answer } = judge(facts, [], [setting({ orders })]);
    expect(answer[0]).toContain('2.00 MiB to 4.00 MiB would be resident here instead of 10.0 MiB');
    expect(judge(facts, [], [setting({})]).answer[0]).toContain('5.00 MiB would be resident here');
    expect(judge({ ...facts, threads: 2 }, [], [setting({})]).answer[0]).toContain('about 5.00 MiB would be resident');
    expect(judge({ ...facts, orders: range(10, 17) }, [], []).headline).toMatch(
      / Runs of the program lie apart: .* leave 10\.0 MiB to 17\.0 MiB\.$/,
    );
    expect(judge({ ...facts, orders: range(10, 10.1) }, [], []).headline).not.toContain('apart');
  });

  test('a setting that may make the program quicker is named, unless it is set anyway', () => {
    const noFastbins = { allocator: 'glibc', options: { mxfast: 0 }, about: 'a test' };
    const found = {
      mechanism: 'unmerged chunks',
      bytes: 0,
      sentences: [],
      settings: [],
      forTime: { setting: noFastbins, sentence: 'For time try mxfast=0.' },
    };
    const told = (name: string, rssBytes: number) =>
      judge(facts, [found], [setting({ setting: name, rssBytes })]).answer.join(' ');
    expect(told('top_pad=0', 10 * MIB)).toContain('For time');
    expect(told('top_pad=0', 5 * MIB)).toContain('For time');
    expect(told('mxfast=0,tcache_count=0', 5 * MIB)).not.toContain('For time');
  });

  test('a peak that reads the same is the same', () => {
    const { answer } = judge(facts, [], [setting({ rssPeakBytes: facts.rssPeakBytes - 4096 })]);
    expect(answer.join(' ')).toContain('the same peak');
  });

  test('named at a price is what saves most for as much more work, not what saves most', () => {
    const dear = setting({ setting: 'top_pad=0', rssBytes: MIB, cpuNs: 19_000, workNs: 19_000 });
    const middling = setting({ setting: 'tcache_count=0', rssBytes: 4 * MIB, cpuNs: null, workNs: 2400 });
    const untold = { ...facts, workNs: 1000 };
    // Not timed yet, it would be fair: what is counted chooses, and its faults keep it from being advised.
    expect(adviseOn(untold, [], [dear, { ...middling, faults: 5000 }])).toMatchObject({
      memory: null,
      costly: { setting: 'tcache_count=0' },
    });
    expect(adviseOn(untold, [], [dear, { ...middling, cpuNs: 2400 }]).costly?.setting).toBe('tcache_count=0');
  });

  test('fewer faults: each page more that stays must spare eight of them', () => {
    const moves = { mechanism: 'back and forth', bytes: 0, sentences: [], settings: [], lowers: 'faults' as const };
    const busy = { ...facts, sample: { ...facts.sample, rssBytes: MIB, faults: 20_000 } };
    const pages = (kept: number) => setting({ faults: 4000, rssBytes: MIB + kept * 4096 });
    expect(adviseOn(busy, [moves], [pages(2000)])).toMatchObject({ memory: null, faults: { faults: 4000 } });
    expect(adviseOn(busy, [moves], [pages(2001)])).toMatchObject({ memory: null, faults: null });
  });

  describe('where memory goes back and forth there are two questions', () => {
    const moves = { mechanism: 'back and forth', bytes: 0, sentences: [], settings: [], lowers: 'faults' as const };
    const { breakdown } = facts.sample;
    const of = (free: number): Facts => ({
      ...facts,
      sample: {
        ...facts.sample,
        faults: 200_000,
        breakdown: {
          ...breakdown,
          requested: 10 * MIB - free,
          slack: 0,
          metadata: 0,
          cached: free,
          pinned: 0,
          returnable: 0,
        },
      },
    });
    const less = setting({
      setting: 'tcache_count=0',
      rssBytes: 3 * MIB,
      faults: 199_000,
      paste: { shell: 'L=1', systemd: 'L', dockerfile: 'L' },
    });
    const keeps = setting({
      setting: 'trim_threshold=9',
      rssBytes: 20 * MIB,
      rssPeakBytes: 20 * MIB,
      faults: 4000,
      paste: { shell: 'K=1', systemd: 'K', dockerfile: 'K' },
    });

    test('and two answers, each with its lead, that to the headline first', () => {
      for (const [free, first, also] of [
        [9 * MIB, less, keeps],
        [MIB, keeps, less],
      ] as const) {
        const { advice, alsoAdvised, pastes, answer } = judge(of(free), [moves], [less, keeps]);
        expect([advice, alsoAdvised]).toEqual([first, also]);
        expect(pastes.map(({ shell }) => shell)).toEqual([first.paste!.shell, also.paste!.shell]);
        const said = answer.filter((sentence) => sentence.startsWith('For '));
        expect(said.map((sentence) => sentence.slice(0, 30))).toEqual(
          pastes.map(({ lead }) => expect.stringContaining(`${lead}: with `.slice(0, 30))),
        );
        expect(answer.join(' ')).toMatch(
          /For less memory: with tcache_count=0 \(a test\) 3\.00 MiB would be resident here instead of 10\.0/,
        );
        expect(answer.join(' ')).toMatch(
          /For fewer page faults: with trim_threshold=9 \(a test\) 20\.0 MiB would be resident here instead of 10\.0 MiB, and less memory goes back and forth: 4,000 page faults/,
        );
      }
    });

    test('one setting that does both is one answer; none for free memory is said, with what the program can ask', () => {
      const both = { ...less, faults: 4000 };
      expect(judge(of(9 * MIB), [moves], [both])).toMatchObject({
        advice: both,
        alsoAdvised: null,
        pastes: [{ lead: '' }],
      });
      const verdict = judge(of(9 * MIB), [moves], [keeps]);
      expect(verdict).toMatchObject({ advice: keeps, alsoAdvised: null });
      expect(verdict.answer.join(' ')).toMatch(
        /^For fewer page faults: with trim_threshold=9 .* For less memory: none of the 1 tried/,
      );
      expect(verdict.pastes).toMatchObject([{ lead: 'For fewer page faults' }]);
      const dear = { ...less, cpuNs: 9000 };
      expect(judge(of(9 * MIB), [moves], [keeps, dear]).answer.join(' ')).toMatch(
        /For less memory: none of the 2 tried .* At a price: with tcache_count=0 .*\+800\.0 %/,
      );
      expect(judge(of(MIB), [moves], [keeps]).answer.join(' ')).not.toContain('For less memory');
    });
  });
});

describe('writes that the recording did not see', () => {
  const dear = setting({ setting: 'mmap_threshold=131072', faults: 2000 + 10_000, syscalls: 4000 });
  const said = (over: Partial<Facts>, whatIf = [dear]) =>
    judge({ ...facts, ...over }, [], whatIf).sentences.filter((sentence) =>
      /large blocks|dearer|Not all/.test(sentence),
    );
  const page = 4096;

  test('are told where most of the faults of a setting may be of them', () => {
    expect(said({ assumedWriteBytes: 6000 * page })).toEqual([
      expect.stringContaining('23.4 MiB of large blocks'),
      expect.stringMatching(/look dearer .*: mmap_threshold=131072\.$/),
    ]);
    expect(said({ assumedWriteBytes: 4000 * page })).toEqual([]);
    expect(said({ assumedWriteBytes: 6000 * page }, [setting({ faults: 2050 })])).toEqual([]);
  });

  test('and where less was resident than is simulated', () => {
    const process = { inBlocks: -2 * MIB, anonymous: 0, stack: 0, data: 0 } as Facts['process'];
    expect(said({ assumedWriteBytes: 3 * MIB, process }, [])).toEqual([
      expect.stringContaining('3.00 MiB of large blocks'),
      expect.stringMatching(/^Not all .* 2.00 MiB less .*\(20.0 %\)/),
    ]);
    expect(said({ assumedWriteBytes: MIB, process }, [])).toEqual([]);
    expect(said({ assumedWriteBytes: 0, process })).toEqual([]);
  });
});
