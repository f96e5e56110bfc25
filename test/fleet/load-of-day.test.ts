import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trendOf } from '../../fleet/report/trend.ts';
import { studyFleet } from '../../fleet/study.ts';

const here = { workers: 1 } as const;
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'load-of-day-'));
  for (const mb of [5, 10, 25])
    writeFileSync(join(folder, `of${mb}.htrace`), `%htrace 1\nm 0 1 ${mb * 2 ** 20}\nf 0 1\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Pages that give all of their memory back, more from hour to hour, and eight exports at once when most pages come. */
const burst = `duration: 4h
samples: 13
machine: { memory: 4G }
cgroups: [{ name: shop, max: 300M }]
pools:
  - { name: shop, group: shop, allocator: "glibc:mmap_threshold=131072", pm: { max_children: 20 }, worker: { anonymous: 1M } }
requests:
  - { name: page, pool: shop, trace: of10.htrace, time: 20s, rate: 3/m, daily: [1, 2, 4, 8, ${Array(20).fill(0).join(', ')}] }
  - { name: export, pool: shop, trace: of25.htrace, time: 60s, cron: { every: 24h, first: 200m, count: 8, over: 5s } }
settings:
  - { name: spread, change: { requests.export.cron.over: 20m } }
  - { name: more, change: { cgroups.shop.max: 1G } }
`;

describe('memory that goes up with the load of the day', () => {
  test('is no climb, and what is said to be missing is what a run with more takes', { timeout: 180_000 }, async () => {
    const { result } = await studyFleet(burst, join(folder, 's.yaml'), here);
    const { text } = result.verdict.findings[0]!;
    expect(result.figures.pools[0]!.isClimbing).toBe(false);
    expect(result.verdict.findings.map((finding) => finding.text).join()).not.toContain('climb');
    const [, least] = /raising memory\.max by \d+M, to at least (\d+)M, is one remedy/.exec(text)!;
    const [, spread, more] = result.settings;
    expect(more!.margins[1]!.usedBytes / 2 ** 20 / Number(least)).toBeCloseTo(1, 1);
    // As many exports come in twenty minutes: that is compared, and is best.
    expect(spread).toMatchObject({ kills: 0, course: null, isOfLoad: false, front: true });
  });

  test('what each request leaves behind does not slow down in the night', () => {
    const hours = Array.from({ length: 49 }, (_, i) => i / 2);
    const begun = hours.map((h) => 1000 * h * (1 - h / 60));
    const leak = begun.map((count) => 2 ** 28 + count * 50_000);
    const timesUs = hours.map((h) => h * 3600e6);
    expect(trendOf(timesUs, leak).towardsBytes).toBeLessThan(Infinity);
    const { towardsBytes, shape, isSteady, perHourBytes } = trendOf(timesUs, leak, begun);
    expect({ towardsBytes, shape, isSteady }).toEqual({ towardsBytes: Infinity, shape: 'climbs', isSteady: true });
    expect(perHourBytes / ((50_000 * begun.at(-1)!) / 24)).toBeCloseTo(1, 1);
  });
});

test('what rises for good beside something that comes to its limit comes to none', () => {
  const timesUs = Array.from({ length: 97 }, (_, i) => i * 60e6);
  const warm = timesUs.map((_, i) => 2 ** 28 * (1 + 1 - Math.exp(-i / 30)));
  expect(trendOf(timesUs, warm).towardsBytes / 2 ** 29).toBeCloseTo(1, 1);
  const both = warm.map((bytes, i) => bytes + i * 2 ** 19);
  const { shape, towardsBytes, isSteady } = trendOf(timesUs, both);
  expect({ shape, towardsBytes, isSteady }).toEqual({ shape: 'climbs', towardsBytes: Infinity, isSteady: true });
});

test('workers that begin on demand are no climb of what they keep', async () => {
  const { result } = await studyFleet(
    `duration: 1h
samples: 25
machine: { memory: 4G }
cgroups: [{ name: jobs, max: 100M }]
pools:
  - { name: jobs, group: jobs, allocator: "glibc:mmap_threshold=131072", pm: { mode: ondemand, max_children: 8, process_idle_timeout: 1h }, worker: { anonymous: 8M } }
requests:
${[2, 3, 4, 5, 6].map((count) => `  - { name: job${count}, pool: jobs, trace: of10.htrace, time: 3m, cron: { every: 3h, first: ${10 * (count - 1)}m, count: ${count} } }`).join('\n')}
`,
    join(folder, 's.yaml'),
    here,
  );
  expect(result.figures.kills).toBeGreaterThan(0);
  expect(result.figures.pools[0]!.climbedPerHourBytes).toBe(0);
  expect(result.verdict.findings[0]!.text).not.toContain('puts it off');
});

test('how many of one request there was room for is told beside the others that are in progress', async () => {
  const { result } = await studyFleet(
    `duration: 10m
samples: 11
machine: { memory: 2G }
cgroups: [{ name: shop, max: 110M }]
pools:
  - { name: shop, group: shop, allocator: "glibc:mmap_threshold=131072", pm: { max_children: 5 }, worker: { anonymous: 1M } }
requests:
  - { name: feed, pool: shop, trace: of25.htrace, time: 30s, cron: { every: 1h, first: 5m, count: 4 } }
  - { name: page, pool: shop, trace: of5.htrace, time: 30s, cron: { every: 1h, first: 5m, count: 1 } }
`,
    join(folder, 's.yaml'),
    here,
  );
  const { roomBytes } = result.figures.firstKill!;
  expect(roomBytes).toBeGreaterThan(4 * 25 * 2 ** 20);
  expect(result.verdict.findings[0]!.text).toContain('enough for about 3 of feed at a time');
});

test('a snapshot that does not fit tells what limit it needs', async () => {
  const { result } = await studyFleet(
    `duration: 1h
samples: 61
machine: { memory: 4G }
cgroups: [{ name: cache, max: 400M }]
services:
  - { name: redis, group: cache, anonymous: 300M, snapshot: { every: 1h, takes: 60s, first: 20m, writes: 2400K } }
settings:
  - { name: more, change: { cgroups.cache.max: 1G } }
`,
    's.yaml',
    here,
  );
  const [kill, snapshot] = result.verdict.findings;
  const [, least] = /raising memory\.max by \d+M, to at least (\d+)M, is one remedy/.exec(kill!.text)!;
  expect(kill!.text).not.toContain('sim plan'); // which is about pools
  const [, mean] = /that is (\S+) MiB of the 400\.0 MiB of memory\.max of cache/.exec(snapshot!.text)!;
  // Whole MiB, with room for a draw of writes that copy more than the mean.
  const used = result.settings[1]!.margins[1]!.usedBytes / 2 ** 20;
  for (const less of [Number(mean), used]) {
    expect(Number(least)).toBeGreaterThan(less);
    expect(Number(least) - less).toBeLessThan(2);
  }
});
