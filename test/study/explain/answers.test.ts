import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { CLASSES, className } from '../../../bench/report/names.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import type { Explanation } from '../../../bench/study/explain/explanation.ts';
import { explanationText } from '../../../bench/study/explain/text.ts';
import { judge } from '../../../bench/study/explain/verdict.ts';
import { bytes } from '../../../sim/contract/format.ts';
import { eventsOf } from '../../helpers/bump-run.ts';

function of(lines: readonly string[], allocator = 'glibc@2.36', at?: string): Explanation {
  const spec = parseAllocator(allocator, 4);
  return explain({ events: eventsOf(lines), workload: 'test', spec, cpus: 4, ...(at && { at }) });
}

const repeat = (n: number, lines: (i: number) => readonly string[]) =>
  Array.from({ length: n }, (_, i) => lines(i)).flat();
const said = (e: Explanation) => e.verdict.sentences.join(' ');

/** A worker that takes and frees the same blocks of many sizes, round after round. */
const rounds = repeat(6, (round) => [
  ...repeat(3000, (i) => [`m 0 ${round * 3000 + i} ${24 + ((i * 37) % 90) * 16}`]),
  ...repeat(3000, (i) => [`f 0 ${round * 3000 + ((i * 7) % 3000)}`]),
]);

describe('a moment at which nothing lives', () => {
  test('is named, with one at which something did, and nothing is advised whose memory is taken again', () => {
    const e = of(rounds);
    expect(e.sample).toMatchObject({ liveBlocks: 0 });
    expect(e.moment.about).toMatch(/where no block lives any more \(where the last one was allocated: --at #32999\)$/);
    const dear = e.whatIf.filter((w) => w.rssBytes < e.sample.rssBytes / 2 && w.faults > e.sample.faults * 1.05);
    expect(dear.map((w) => w.setting)).toContain('mxfast=0,tcache_count=0');
    expect(dear).not.toContain(e.verdict.advice);
    expect(said(e)).toMatch(/No block lives here: .*At a price: with /);
    const living = of(rounds, 'glibc@2.36', '#32999');
    expect(living.sample.liveBlocks).toBe(3000);
    expect(living.moment.about).toBe('after event 32999');
  });
});

test('a script whose request ends in frees is judged before them, where the trace says where it is from', () => {
  const lines = ['eb 0', ...repeat(200, (i) => [`em 0 ${i} 2000`]), ...repeat(180, (i) => [`ef 0 ${i}`]), 'ee 0'];
  const judged = (source: string) =>
    explain({
      events: { ...eventsOf(lines), source },
      workload: 'test',
      spec: parseAllocator('zendmm@8.2', 1),
      cpus: 1,
      whatIf: false,
    });
  expect(judged('some recorder')).toMatchObject({ event: 201, sample: { liveBlocks: 200 } });
  expect(judged('some recorder').moment.about).toContain('before the 180 frees');
  expect(judged('')).toMatchObject({ event: 381, sample: { liveBlocks: 20 } });
});

describe('a leak', () => {
  const growing = repeat(4000, (i) => [`m 0 ${i} 1000`]);

  test('is what grows to its end while the program goes on', () => {
    const served = repeat(2000, (i) => [`m 0 ${i} 1000`, ...repeat(6, () => ['m 0 9999 300', 'f 0 9999'])]);
    expect(of(served).verdict.kind).toBe('leak');
  });

  test('may be a program that builds what it needs, where not much is freed', () => {
    const e = of(growing);
    expect(e.verdict.headline).toMatch(
      /^Requested: .* holds, and all of that, blocks of 897 to 1,024 bytes, grows from quarter/,
    );
    const loads = repeat(4000, (i) => [`m 0 ${i} 1000`, 'm 0 9999 300', 'f 0 9999']);
    expect(of(loads).verdict.kind).toBe('in use');
    expect(e.verdict.kind).toBe('in use');
    expect(said(e)).toMatch(/whether it is a leak the trace cannot say\. A recording with call sites/);
  });

  test('is not what falls in the last quarter, however its quarters rise', () => {
    const e = of([...growing, ...repeat(600, (i) => [`f 0 ${i}`])]);
    const [, , third, fourth] = e.growth.floors;
    expect(fourth).toBeGreaterThan(third * 1.1);
    expect(e.verdict.kind).toBe('in use');
    expect(said(e)).not.toContain('rises from quarter to quarter');
  });

  test('is not said of a run of a few events', () => {
    expect(of(repeat(100, (i) => [`m 0 ${i} 5000`])).verdict.kind).toBe('in use');
  });

  test('has what is pinned said beside it', () => {
    const e = of([
      ...repeat(1500, (i) => [`m 0 ${2 * i} 1400`, `m 0 ${2 * i + 1} 3000`]),
      ...repeat(1500, (i) => [`f 0 ${2 * i}`, `m 0 ${5000 + i} 5000`]),
    ]);
    expect(e.verdict.kind).toBe('in use');
    expect(said(e)).toMatch(/Pinned: \S+ [KM]iB are free on [\d,]+ pages that [\d,]+ live blocks keep/);
    // Of pages that no live block lies on it is said that none does.
    const page = { address: 0, freeBytes: 1024, events: [] };
    const cached = { ...page, freeBytes: 2048, cached: true as const };
    const heldPages = [{ ...page, events: [3, 5] }, page, cached].map((held) => ({
      ...held,
      freeBytes: held.freeBytes * 1024,
    }));
    expect(judge({ ...e, heldPages }).sentences.join(' ')).toMatch(
      /Pinned: .* on 3 pages: 1\.00 MiB on 1 that 2 live blocks keep, 3\.00 MiB on 2 that cached blocks and structures/,
    );
    expect(judge({ ...e, heldPages: [{ ...page, freeBytes: 2 ** 20 }] }).sentences.join(' ')).toMatch(
      /on 1 page that structures of the allocator keep/,
    );
    expect(judge({ ...e, heldPages: [{ ...cached, freeBytes: 2 ** 20 }] }).sentences.join(' ')).toMatch(
      /on 1 page that cached blocks keep/,
    );
    // The parts add up to the whole, whatever share of the free bytes a request would return.
    expect(judge({ ...e, heldPages }).sentences.join(' ')).toMatch(/Pinned: 4\.00 MiB are free on 3 pages/);
    // A group that keeps some of it is named behind all of it; one that keeps most of it stands for it.
    const block = { event: 3, thread: 0, address: 0, requestedBytes: 3000, usableBytes: 3000, freedByThread: 0 };
    const group = { area: 'main heap', blocks: [block], ownBytes: 3000, freeReturnsBytes: 0, by: 'free' as const };
    const keeping = (returnsBytes: number) =>
      judge({ ...e, pinning: [{ ...group, purgeReturnsBytes: returnsBytes, returnsBytes }] }).sentences.join(' ');
    expect(keeping(e.sample.rssBytes * 0.03)).toMatch(/Pinned: .*the few that hold the most come next\. 1 block of/);
    expect(keeping(e.sample.breakdown.pinned * 0.6)).not.toContain('Pinned:');
  });
});

test('pages and chunks that something keeps are named with what is free on each', () => {
  const free = repeat(3000, (i) => (i % 5 === 0 ? [] : [`ef 0 ${i}`]));
  const e = of(
    ['eb 0', ...repeat(3000, (i) => [`em 0 ${i} ${i < 2000 ? 1000 : 12000}`]), ...free],
    'zendmm@8.2',
    'end',
  );
  expect(e.verdict.kind).toBe('fragmentation by pinning');
  const { pinned } = e.sample.breakdown;
  expect(e.sample.withinSlabsBytes).toBeGreaterThan(0);
  expect(e.verdict.headline).toMatch(
    /keep their pages \(\S+ [KM]iB\) or the chunks that they lie in \(\S+ [KM]iB\)\.$/,
  );
  expect(e.verdict.shares['fragmentation by pinning']).toBe(pinned + e.sample.withinSlabsBytes);
  // What is free on pages fits on them.
  const told = judge({ ...e, pinning: [] }).sentences.join(' ');
  const [, size, unit, pages] = /Pinned: (\S+) ([KM]iB) are free on ([\d,]+) pages/.exec(told)!;
  expect(+size! * (unit === 'MiB' ? 256 : 1 / 4)).toBeLessThan(+pages!.replace(',', ''));
});

test('what fastbins keep from going back is not said to be pinned by live blocks', () => {
  const threads = [1, 2, 3].flatMap((t) => repeat(4000, (i) => [`m ${t} ${t * 10000 + i} 60`]));
  const frees = [1, 2, 3].flatMap((t) => repeat(3990, (i) => [`f ${t} ${t * 10000 + i}`]));
  const e = of([...threads, ...frees]);
  expect(e.verdict.kind).toBe('retention by policy');
  expect(e.sample.breakdown.pinned).toBeGreaterThan(e.sample.rssBytes / 2);
  expect(said(e)).not.toContain('Pinned:');
});

describe('thresholds say where they are from', () => {
  const shown = (e: Explanation) => /\nThresholds now\n(.*?)\n\n/s.exec(explanationText(e))![1]!;

  test('an option, mallopt, a free, a request that ends, nothing', () => {
    expect(shown(of(['m 0 1 100'], 'glibc@2.36:trim_threshold=262144'))).toMatch(
      /mmap_threshold +131,072 {2}the default\n +trim_threshold +262,144 {2}set as an option\n.*no_dyn_threshold +1 {2}an option is set/s,
    );
    expect(shown(of(['opt 0 M_MMAP_THRESHOLD 65536', 'm 0 1 100']))).toMatch(
      /mmap_threshold +65,536 {2}since event 0 \(mallopt\)/,
    );
    expect(shown(of(['m 0 1 200000', 'f 0 1', 'm 0 2 9']))).toMatch(
      /mmap_threshold +200,704 {2}since event 1 \(free\)/,
    );
    const requests = ['eb 0', 'em 0 1 300000', 'em 0 2 400000', 'ef 0 2', 'ee 0'];
    const e = of(requests);
    expect(e.tunableChanges.map(({ causedBy }) => causedBy)).toEqual(['free']);
    expect(of(['eb 0', 'em 0 1 300000', 'ee 0', 'eb 0', 'em 0 2 9', 'ee 0']).tunableChanges).toMatchObject([
      { causedBy: 'request end', blockBytes: 300000, changes: { mmap_threshold: [131072, 303104] } },
    ]);
  });
});

describe('PHP’s own heap', () => {
  const requests = ['eb 0', ...repeat(2000, (i) => [`em 0 ${i} 2000`]), 'ee 0'];

  test('has nothing to do with what malloc is set to, nor with malloc_trim', () => {
    const e = of([...requests, ...requests], 'zendmm@8.2');
    expect(e.whatIf.filter((w) => w.allocator.includes('glibc@2.36:'))).toEqual([]);
    const text = explanationText(e);
    expect(text).not.toContain('Thresholds now');
    expect(text).not.toContain('would return nothing');
    expect(text.replace(/\s+/g, ' ')).toContain(
      'what malloc is asked for or set to reaches its own memory, not these.',
    );
  });

  test('but for the memory of malloc beside it', () => {
    const e = of([...repeat(3000, (i) => [`m 0 ${9000 + i} 3000`]), ...requests], 'zendmm@8.2');
    expect(e.whatIf.some((w) => w.allocator.includes('glibc@2.36:'))).toBe(true);
    expect(explanationText(e)).toContain('Thresholds now');
  });
});

describe('the table of other settings', () => {
  test('has what each takes, leaves out what changes nothing, and says why a default helps', () => {
    const e = of(['m 0 1 31457280', 'f 0 1', 'm 0 2 20000000', 'm 0 3 24', 'f 0 2']);
    const text = explanationText(e);
    expect(text).toMatch(/resident +work +peak/);
    expect(e.workNs).toBeGreaterThan(0);
    for (const w of e.whatIf) expect(w.workNs, w.setting).toBeGreaterThan(0);
    expect(text.replace(/\s+/g, ' ')).toContain(
      '131072 is what both thresholds begin with. It helps because it is set',
    );
    expect(text).toMatch(/Without effect here: tcache_count=0/);
  });

  test('work that grows is the price of what was counted', () => {
    const e = of(rounds);
    const without = e.whatIf.find((w) => w.setting === 'tcache_count=0')!;
    expect(without.workNs).toBeGreaterThan(e.workNs);
  });
});

test('the classes are called alike in sentences, tables and pages', () => {
  const e = of([...rounds, 'm 0 99999 500']);
  const names = CLASSES.filter(({ key }) => key !== 'withinSlabs').map(({ key }) => className(key, 'glibc'));
  expect(names).toEqual(['requested', 'slack', 'metadata', 'cached', 'pinned', 'returnable']);
  expect(CLASSES.map(({ name }) => name.toLowerCase())).toEqual(expect.arrayContaining(names));
  const [shares] = e.verdict.sentences.filter((text) => text.startsWith('Of the resident bytes'));
  for (const [, name] of shares!.matchAll(/([a-z]+) [\d.]+ %/g)) expect(names).toContain(name);
});

test('the purge that jemalloc can be asked for is ready to paste', () => {
  const lines = [...repeat(400, (i) => [`m 0 ${i} 40000`]), ...repeat(399, (i) => [`f 0 ${i}`])];
  const e = of(lines, 'jemalloc', 'end');
  const purge = e.returns.find(({ flushesCaches }) => !flushesCaches)!;
  expect(purge.returnsBytes).toBeGreaterThan(2 ** 20);
  expect(e.verdict.remedies).toEqual([
    {
      place: `C, here: returns ${bytes(purge.returnsBytes)}`,
      text: expect.stringContaining('mallctl("arena.4096.purge"'),
    },
  ]);
});

test('what a call of the program gives back is part of the answer: alone where no setting helps, behind one that does', () => {
  const kept = repeat(400, (i) => [`m 0 ${i} 40000`, `m 0 ${1000 + i} 24`]);
  const e = of([...kept, ...repeat(400, (i) => [`f 0 ${i}`])], 'glibc@2.36', 'end');
  const [trim] = e.returns;
  const call = `malloc_trim(0) gives ${bytes(trim.returnsBytes)} back here`;
  const at = e.verdict.answer.findIndex((sentence) => sentence.includes(call));
  expect(at).toBeGreaterThanOrEqual(0);
  expect(at > 0).toBe(e.verdict.advice !== null);
  const full = of(kept, 'glibc@2.36', 'end');
  expect(full.verdict.answer.join(' ')).not.toContain('malloc_trim');
});

test('where nothing is resident nothing is said of it', () => {
  expect(of(['+ 1000'], 'glibc@2.36', 'end').verdict.sentences).toEqual([]);
});
