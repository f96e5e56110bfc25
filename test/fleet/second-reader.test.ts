import { describe, expect, test } from 'vitest';
import type { FleetEvent } from '../../fleet/follower.ts';
import { eventLines } from '../../fleet/report/events-text.ts';
import { courseText, roughTime, whenText } from '../../fleet/report/forecast.ts';
import { tableOfSettings } from '../../fleet/report/settings-table.ts';
import { fleetText } from '../../fleet/report/text.ts';
import { trendOf } from '../../fleet/report/trend.ts';
import { runFleet } from '../../fleet/run-fleet.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { studyFleet } from '../../fleet/study.ts';
import { durationUs } from '../../sim/contract/quantities.ts';
import { plainStyle } from '../helpers/plain-style.ts';

const here = { workers: 1 } as const;
const MIB = 2 ** 20;
const HOUR = 3600e6;

describe('a forecast is as exact as it is known', () => {
  const trend = (of: (hour: number) => number) => {
    const hours = Array.from({ length: 91 }, (_, i) => i / 10);
    return trendOf(
      hours.map((hour) => hour * HOUR),
      hours.map((hour) => of(hour) * MIB),
    );
  };

  test('to about two digits', () => {
    const told = ['20m45s', '61h31m', '186h', '3h1m', '44s'].map((text) => {
      const [, h = 0, m = 0, s = 0] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text)!;
      return roughTime((Number(h) * 3600 + Number(m) * 60 + Number(s)) * 1e6);
    });
    expect(told).toEqual(['21m', '62h', '7.8 days', '3h', '44s']);
    for (let us = 30e6; us < 3000 * HOUR; us *= 1.07) expect(roughTime(us)).not.toMatch(/\d+h\d+m\d+s|\d\.\d\d/);
  });

  test('as one time where both thirds rose alike, else from one to another', () => {
    const steady = trend((hour) => 100 + 60 * hour);
    expect(whenText(steady, 600 * MIB, 9 * HOUR)).toBe('about 10h after the end of this run at that pace');
    // 60 an hour in the second third, 40 in the last.
    const slower = trend((hour) => 100 + 60 * Math.min(hour, 6) + 40 * Math.max(0, hour - 6));
    const [, from, to] = /^climbs to it (\S+) to (\S+) after the end$/.exec(
      courseText(slower, 'it', 600 * MIB, 9 * HOUR),
    )!;
    expect(Number.parseFloat(from!)).toBeCloseTo(10, 0);
    expect(Number.parseFloat(to!)).toBeCloseTo(15, 0);
  });
});

/** A server that leaks in a group, and a cache beside it. */
const leak = (duration: string) => `duration: ${duration}
samples: 61
machine: { memory: 2G }
cgroups: [{ name: web, max: 300M }]
services: [{ name: node, group: web, anonymous: 100M, grows: 1M, every: 6m }]
`;

test('a service in a group climbs to the memory.max of that, told once, and comes to it when it says', async () => {
  const { figures, verdict } = (await studyFleet(leak('6h'), 's.yaml', here)).result;
  const [finding, ...others] = verdict.findings.filter(({ severity }) => severity === 'ends');
  expect(others).toEqual([]);
  expect(finding!.about).toBe('node');
  expect(finding!.text).toContain('node climbs from the start on');
  expect(finding!.text).toContain('towards memory.max of web (300.0 MiB)');
  expect(finding!.text).toContain('takes 1.00 MiB every 6m and gives nothing back');
  // 200 MiB less what the kernel has, at 10 MiB an hour; six hours of them are over.
  const [, hours] = /about (\d+)h after the end/.exec(finding!.text)!;
  const [, between] = /from one to the next may be (\d+)h at most/.exec(finding!.text)!;
  expect(Number(between) - Number(hours)).toBe(6);
  const longer = (await studyFleet(leak('24h'), 's.yaml', here)).result.figures.firstKill!;
  expect(longer.group).toBe('web');
  expect(Math.abs(longer.atUs / HOUR - Number(between))).toBeLessThan(1);
  expect(figures.kills).toBe(0);
});

/** A preforking server whose workers write a little of what was preloaded in each request. */
const decaying = (duration: string) => `duration: ${duration}
samples: 61
machine: { memory: 2G }
cgroups: [{ name: app, max: 350M }]
pools:
  - name: py
    group: app
    allocator: glibc
    pm: { max_children: 4 }
    preload: { size: 80M, writes: 128K }
    worker: { anonymous: 2M }
requests:
  - { name: view, pool: py, workload: "php-pool:requests=1,kept=0,calls=3,blocks=20,strings=0,baseline=20000", time: 20ms, rate: 1440/h }
`;

test('copies of what was preloaded come to a limit when their law says, and not by the pace of a third', async () => {
  const { verdict, figures } = (await studyFleet(decaying('2h'), 's.yaml', here)).result;
  expect(figures.kills).toBe(0);
  const finding = verdict.findings.find(({ severity }) => severity === 'ends')!;
  const [, told] = /that is reached about (\S+) after the end of this run if as many requests come/.exec(finding.text)!;
  expect(finding.course).toContain(`climbs to memory.max of app about ${told} after the end, more slowly with time`);
  const { firstKill } = (await studyFleet(decaying('6h'), 's.yaml', here)).result.figures;
  const afterUs = firstKill!.atUs - 2 * HOUR;
  expect(afterUs).toBeGreaterThan(0.8 * durationUs(told!)!);
  expect(afterUs).toBeLessThan(1.25 * durationUs(told!)!);
});

describe('what happened', () => {
  const kill = (atUs: number, who: string, request?: string): FleetEvent => ({
    atUs,
    kind: 'oom-kill',
    who,
    ...(request !== undefined && { request }),
    text: `the kernel killed ${who}${request === undefined ? '' : `, serving ${request}`}`,
  });

  test('to several at once is one line, and what is told of one alone stays its own', () => {
    const many = Array.from({ length: 9 }, (_, i) => kill(3 * HOUR + i * 1e6, `www-${i + 1}`, 'resize'));
    const lines = eventLines([
      ...many,
      kill(3 * HOUR, 'www-20'),
      { ...kill(3 * HOUR, 'kernel'), text: 'the kernel killed kernel, which is not started again' },
      kill(20 * HOUR, 'api-1', 'page'),
      kill(20 * HOUR + 5e6, 'api-1', 'page'),
      { atUs: 27 * HOUR, kind: 'refused', who: 'www', text: '5 requests found the backlog of www full' },
    ]);
    expect(lines.map(({ atUs, text }) => `${atUs / HOUR}h  ${text}`)).toEqual([
      '3h  the kernel killed 9 processes, serving resize: www-1, www-2, www-3, www-4, www-5, www-6 and 3 more',
      '3h  the kernel killed www-20',
      '3h  the kernel killed kernel, which is not started again',
      '20h  the kernel killed api-1, serving page (2 times)',
      '27h  5 requests found the backlog of www full',
    ]);
  });
});

const shared = (settings: string) => `duration: 20m
samples: 5
machine: { memory: 1G }
pools:
  - name: pg
    allocator: glibc
    pm: { mode: ondemand, max_children: 12, process_idle_timeout: 1h }
    shared: [{ name: shared_buffers, size: 200M, used: 200M, worker: 0.9 }]
    worker: { anonymous: 2M }
requests:
  - { name: query, pool: pg, workload: "php-pool:requests=1,kept=0,calls=5,blocks=50,strings=0,baseline=20000", time: 2s, cron: { every: 1h, count: 12, first: 1m } }
${settings}`;
const style = plainStyle(80);

describe('what workers share', () => {
  test('is said to be in the RSS of each, and once in memory', async () => {
    const { result } = await studyFleet(shared(''), 's.yaml', here);
    const [pool] = result.figures.pools;
    expect(pool!.rssBytes.values.at(-1)!).toBeGreaterThan(12 * 180 * MIB);
    expect(pool!.pssBytes.values.at(-1)!).toBeLessThan(300 * MIB);
    const { text } = result.verdict.findings.find(({ text: found }) => found.startsWith('RSS of'))!;
    expect(text).toMatch(/^RSS of the 12 workers of pg adds up to 2\.\d\d GiB at the end, more than all memory/);
    expect(text).toContain('the 200.0 MiB that they share');
    // A column that says the same in each row goes where there is no room, and is told below.
    const lines = fleetText(result, { ...style, width: 58 }).split('\n');
    expect(lines.find((line) => line.startsWith('time '))).not.toContain('Shmem');
    expect(lines).toContainEqual(expect.stringMatching(/^in each row: Shmem 200\.0 MiB, cache /));
  });

  test('workers that are there from the start are none that begin', async () => {
    const settings = `settings:
  - { name: static, change: { pools.pg.pm.mode: static } }
  - { name: short, change: { pools.pg.pm.process_idle_timeout: 30s } }
`;
    const { result } = await studyFleet(shared(settings), 's.yaml', here);
    expect(result.settings.map(({ name, replaced }) => [name, replaced?.split(',')[0] ?? null])).toEqual([
      ['as it is', null],
      ['static', null],
      ['short', '12 workers of pg began'],
    ]);
  });
});

test('free memory between live blocks is not said to wait for a threshold', async () => {
  const text = `duration: 1h
samples: 13
machine: { memory: 1G }
pools: [{ name: www, allocator: glibc, pm: { max_children: 1 } }]
requests:
  - { name: page, pool: www, workload: "php-pool:requests=1,kept=600,calls=200,buffer=150000,blocks=20,strings=0,baseline=20000", time: 20ms, rate: 240/h }
`;
  const { result } = await studyFleet(text, 's.yaml', here);
  const { holdings } = result.figures.pools[0]!;
  const [www] = result.verdict.findings.filter(({ about }) => about === 'www');
  expect(holdings!.freeBytes).toBeGreaterThan(0.5 * holdings!.mainHeapBytes);
  expect(holdings!.freeBytes).toBeGreaterThan(2 * holdings!.tunables['trim_threshold']!);
  expect(www!.text).toContain('lies between live blocks');
  expect(www!.text).not.toContain('given back only beyond trim_threshold');
  expect((await runFleet(parseScenario(text, 's.yaml'), here)).events).toEqual([]);
});

/** APCu that grows in a group, until it is full. */
const filling = (max: string, extra = '') => `duration: 3h
samples: 37
machine: { memory: 2G }
cgroups: [{ name: php, max: ${max} }]
pools:
  - { name: www, group: php, allocator: glibc, pm: { max_children: 2 }, shared: [{ name: apcu, size: 300M, used: 4M, worker: 0.2, grows: 64K }], worker: { anonymous: 4M } }
requests:
  - { name: page, pool: www, workload: "php-pool:requests=1,kept=0,calls=3,blocks=20,strings=0,baseline=20000", time: 20ms, rate: 1200/h }
${extra}`;

test('a shared region that fills up ends at its size: nothing is said to climb beyond, and a limit has room for all of it', async () => {
  const { verdict, figures, settings } = (
    await studyFleet(filling('600M', 'settings: [{ name: small, change: { cgroups.php.max: 150M } }]'), 's.yaml', here)
  ).result;
  expect(figures.shmemBytes.trend.shape).toBe('climbs');
  expect(verdict.findings.filter(({ course, severity }) => course !== undefined || severity === 'ends')).toEqual([]);
  expect(verdict.findings.map(({ text }) => text).join('\n')).toContain('Its ceiling is its size, 300.0 MiB');
  expect(settings[1]!.kills).toBeGreaterThan(0);
  const small = (await studyFleet(filling('150M'), 's.yaml', here)).result;
  const [region] = small.figures.pools[0]!.growing;
  expect(region!.atKillBytes).toBeLessThan(region!.lastBytes);
  const [, to] = /raising memory\.max by \d+M, to at least (\d+)M \(until apcu is full\)/.exec(
    small.verdict.findings[0]!.text,
  )!;
  const longer = filling(`${Number(to) + 8}M`).replace('3h', '9h');
  const { figures: enough } = (await studyFleet(longer, 's.yaml', here)).result;
  expect(enough.pools[0]!.growing[0]!.lastBytes).toBe(300 * MIB);
  expect(enough.kills).toBe(0);
});

test('a group above memory.high by what reclaim cannot take is held up: it does not hold for good, though nobody is killed', async () => {
  const text = `duration: 4h
samples: 25
machine: { memory: 2G }
cgroups: [{ name: render, high: 200M, max: 400M }]
services: [{ name: render, group: render, anonymous: 100M, tmpfs_grows: 20M, every: 15m }]
settings: [{ name: high enough, change: { cgroups.render.high: 380M } }]
`;
  const { verdict, figures, settings } = (await studyFleet(text, 's.yaml', here)).result;
  expect(figures.kills).toBe(0);
  expect(verdict.severity).toBe('ends');
  expect(verdict.summary).toContain('render is held up: it stands above its memory.high');
  const table = tableOfSettings(settings);
  expect(table.rows[0]![1]).toBe('held up');
  expect(table.rows[1]![1]).not.toBe('held up');
  expect(table.legend).toContain('held up: above memory.high');
});

const copying = (pool: string) => `duration: 4h
samples: 41
machine: { memory: 2G }
pools:
  - name: puma
    allocator: glibc
    pm: { max_children: 2 }
    preload: { size: 120M, writes: 256K }
    worker: { anonymous: 2M }
    ${pool}
requests:
  - { name: page, pool: puma, workload: "php-pool:requests=1,kept=4000,calls=20,blocks=20,strings=0,baseline=20000", time: 20ms, rate: 400/h }
`;

test('heaps that climb beside copies of what was preloaded have no ceiling of copies', async () => {
  const { figures, verdict } = (await studyFleet(copying('recycle: 200M'), 's.yaml', here)).result;
  const [pool] = figures.pools;
  // Most of what is there is copies.
  expect(pool!.copiedBytes * pool!.workers).toBeGreaterThan(0.5 * pool!.privateBytes.kept.riseBytes);
  expect(pool!.isHeapClimbing).toBe(true);
  const climbing = verdict.findings.find(({ text }) => text.includes('the heaps climb beside them'))!;
  // Two workers of 200 MiB, with all pages copied.
  const [, ceiling] = /Its ceiling is (\S+) MiB/.exec(climbing.text)!;
  expect(Number(ceiling)).toBeGreaterThan(2 * (200 + 120));
  // 0 is never, as for max_requests.
  const never = (await runFleet(parseScenario(copying('recycle: 0'), 's.yaml'), here)).pools[0]!;
  expect(never.timelines.map(({ recycled }) => recycled.length)).toEqual([0, 0]);
});
