import { describe, expect, test } from 'vitest';
import { planFleet } from '../../fleet/plan.ts';
import { whenText } from '../../fleet/report/forecast.ts';
import { fleetOpenMetrics } from '../../fleet/report/openmetrics.ts';
import { withFront } from '../../fleet/report/setting-front.ts';
import { isOfLimit, isOfLoad } from '../../fleet/report/setting-kind.ts';
import type { SettingResult } from '../../fleet/report/setting-result.ts';
import { tableOfSettings } from '../../fleet/report/settings-table.ts';
import { trendOf } from '../../fleet/report/trend.ts';
import { runFleet } from '../../fleet/run-fleet.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { studyFleet } from '../../fleet/study.ts';
import { bytes } from '../../sim/contract/format.ts';

const here = { workers: 1 } as const;
const PAGE = 'php-pool:requests=1,kept=0,calls=5,blocks=100,strings=1,baseline=60000';

function pool(options: { kept?: number; memory?: string; max?: string; children?: number; more?: string }): string {
  const { kept = 0, memory = '2G', children = 4, more = '' } = options;
  const group = options.max === undefined ? '' : 'group: php, ';
  return `duration: 40m
samples: 21
machine: { memory: ${memory} }
cgroups: [${options.max === undefined ? '' : `{ name: php, max: ${options.max} }`}]
pools:
  - { name: www, ${group}allocator: zendmm+glibc, pm: { max_children: ${children} }, worker: { anonymous: 1M }, ${more} }
requests:
  - { name: page, pool: www, workload: "${PAGE.replace('kept=0', `kept=${kept}`)}", time: 20ms, rate: 1/s }
`;
}

describe('verdicts', () => {
  test('a pool that keeps nothing', async () => {
    const { result } = await studyFleet(pool({}), 's.yaml', here);
    expect(result.verdict.severity).toBe('fine');
    expect(result.figures.kills).toBe(0);
    const www = result.figures.pools[0]!;
    expect(www.met).toBeGreaterThan(2000);
    expect(www.met + www.replayed).toBe(www.requests);
  });

  test('a library that keeps a block of each call: it climbs, and what reaches its end is said', async () => {
    const { result } = await studyFleet(pool({ kept: 16384 }), 's.yaml', here);
    expect(result.verdict.severity).toBe('ends');
    const text = result.verdict.findings.map((finding) => finding.text).join('\n');
    expect(text).toContain('climbs from the start on, by ');
    expect(text).toContain('The requests leave live blocks behind');
  });

  test('in a group that is too small somebody is killed, and replaced', async () => {
    const { result } = await studyFleet(pool({ kept: 16384, max: '40M' }), 's.yaml', here);
    expect(result.verdict.severity).toBe('fails');
    expect(result.events[0]).toMatchObject({ kind: 'oom-kill' });
    expect(result.samples.at(-1)!.processes.filter(({ name }) => name.startsWith('www-'))).toHaveLength(4);
    expect(result.samples.at(-1)!.groups[0]!.currentBytes).toBeLessThanOrEqual(40 * 2 ** 20);
  });

  test('a kill at the time of a sample comes before it', async () => {
    const text = `duration: 10m
samples: 11
machine: { memory: 1G }
cgroups: [{ name: app, max: 120M }]
pools:
  - { name: app, group: app, pm: { max_children: 3 }, preload: { size: 50M, writes: 1M } }
requests:
  - { name: call, pool: app, workload: "${PAGE}", time: 20ms, rate: 1/s }
`;
    const { result } = await studyFleet(text, 's.yaml', here);
    const { beforeSample, groups, atUs } = result.figures.firstKill!;
    const after = result.samples[beforeSample]!;
    expect(atUs).toBeGreaterThanOrEqual(after.atUs);
    expect(atUs - after.atUs).toBeLessThan(1e6);
    expect(result.samples[beforeSample - 1]!.atUs).toBeLessThan(atUs);
    expect(groups[0]!.currentBytes).toBeGreaterThan(after.groups[0]!.currentBytes);
    // The limit that would do: three workers with all of it copied, the original, and what is beside them.
    const [, least] = /raising memory\.max by \d+M, to at least (\d+)M, is one remedy/.exec(
      result.verdict.findings[0]!.text,
    )!;
    expect(Number(least)).toBeGreaterThan(4 * 50);
    const { figures } = (await studyFleet(text.replace('120M', `${Math.ceil(Number(least))}M`), 's.yaml', here)).result;
    expect(figures.kills).toBe(0);
  });

  test('the moment of the first kill is told: who asked, what was in progress, and what it needed', async () => {
    const text = `duration: 1h
samples: 13
machine: { memory: 1G, swap: 64M }
pools:
  - { name: www, allocator: glibc, pm: { max_children: 8 }, worker: { anonymous: 1M } }
requests:
  - { name: page, pool: www, workload: "${PAGE}", time: 20ms, rate: 1/s }
  - { name: export, pool: www, workload: "${PAGE},buffer=${96 * 2 ** 20}", time: 50s, cron: { every: 1h, count: 8, over: 10s, first: 20m } }
  - { name: few, pool: www, workload: "${PAGE},buffer=${96 * 2 ** 20}", time: 50s, cron: { every: 2h, count: 1, first: 7m } }
`;
    const { result } = await studyFleet(text, 's.yaml', here);
    const kill = result.figures.firstKill!;
    expect(kill.atUs).toBeGreaterThanOrEqual(20 * 60e6);
    expect(kill.atUs).toBeLessThan(21 * 60e6);
    expect(kill.askerRequest).toBe('export');
    expect(kill.inProgress[0]).toMatchObject({ pool: 'www', request: 'export' });
    const { count, bytes, mostBytes } = kill.inProgress[0]!;
    expect(mostBytes).toBeGreaterThanOrEqual(96 * 2 ** 20);
    expect(bytes).toBeLessThanOrEqual(count * mostBytes);
    expect(bytes).toBeGreaterThan(kill.roomBytes);
    // No sample shows it: swap was used up, and next to nothing was available.
    expect(kill.swapUsedBytes).toBe(result.figures.swapBytes);
    expect(kill.pools[0]!.privateBytes).toBeGreaterThan(2 * result.figures.pools[0]!.privateBytes.values[0]!);
    expect(kill.availableBytes).toBeLessThan(64 * 2 ** 20);
    expect(result.events[0]!.text).toMatch(/^the kernel killed www-\d, serving export$/);
    expect(result.figures.lostRequests).toBe(result.events.filter(({ text }) => text.includes('serving')).length);
    expect(result.verdict.findings[0]!.text).toContain(`enough for about ${Math.floor(kill.roomBytes / mostBytes)} of`);
    // One of the same had passed.
    expect(kill.passed!.bytes).toBeLessThan(kill.passed!.roomBytes);
    expect(result.verdict.findings[0]!.text).toMatch(
      /was the most that was needed at once \(at 7m.*, and passed: this time more/,
    );
  });

  test('recycled by size, the same pool stays where it is', async () => {
    const { result } = await studyFleet(pool({ kept: 16384, more: 'recycle: 8M' }), 's.yaml', here);
    expect(result.figures.pools[0]!.recycled).toBeGreaterThan(10);
    expect(result.figures.pools[0]!.heapKeptBytes).toBeLessThan(9 * 2 ** 20);
    expect(result.verdict.severity).not.toBe('ends');
  });

  test('a service that is killed in the middle of its snapshot is named first, and gone for good', async () => {
    const text = `duration: 4h
samples: 9
machine: { memory: 1G }
services:
  - { name: redis, anonymous: 600M, snapshot: { every: 1h, takes: 120s, writes: 30M } }
`;
    const { result } = await studyFleet(text, 's.yaml', here);
    expect(result.figures.killed).toEqual(['redis']);
    expect(result.verdict.findings[0]!.text).toContain('redis is among them and not started again');
    // The child comes to its end: nothing of either is left.
    expect(result.samples.at(-1)!.processes.filter(({ name }) => name.startsWith('redis'))).toEqual([]);
  });

  test('settings are run, and cut nothing short', async () => {
    const text = `${pool({ kept: 16384 })}settings:\n  - { name: recycling, change: { pools.www.pm.max_requests: 50 } }\n`;
    const { result } = await studyFleet(text, 's.yaml', here);
    expect(result.settings.map(({ name }) => name)).toEqual(['as it is', 'recycling']);
    expect(result.settings[1]!.workersBytes).toBeLessThan(result.settings[0]!.workersBytes / 2);
  });
});

test('requests that found the backlog full are told, with what would help, and such a setting is not best', async () => {
  const text = `duration: 1h
samples: 13
machine: { memory: 2G }
pools:
  - { name: www, allocator: glibc, pm: { max_children: 2, backlog: 3 }, worker: { anonymous: 1M } }
requests:
  - { name: page, pool: www, workload: "${PAGE}", time: 2s, cron: { every: 20m, count: 10, over: 1s, first: 10m } }
settings:
  - { name: backlog of 20, change: { pools.www.pm.backlog: 20 } }
`;
  const { result } = await studyFleet(text, 's.yaml', here);
  const { figures, verdict, settings, events } = result;
  const { refused, requests, refusedUs } = figures.pools[0]!;
  expect(refused).toBeGreaterThan(3);
  expect(refused + requests).toBe(30);
  expect(refusedUs![0]).toBeGreaterThan(10 * 60e6);
  expect(refusedUs![0]).toBeLessThan(11 * 60e6);
  expect(verdict.summary).toContain(`but ${refused} requests were refused`);
  const finding = verdict.findings.find(({ text: words }) => words.includes('refused'))!;
  expect(finding).toMatchObject({ severity: 'watch', about: 'www' });
  expect(finding.text).toMatch(/refused from 10m.* to 50m.*pm\.max_children is 2.*longer backlog/);
  expect(events[0]).toMatchObject({ kind: 'refused', atUs: refusedUs![0] });
  expect(tableOfSettings(settings).rows.map((row) => [row[0], row[1], row.at(-1)])).toEqual([
    ['as it is', `${refused} refused`, ''],
    ['backlog of 20', 'holds', 'best'],
  ]);
});

test('a smaller limit is no saving; where little is left, what is left decides', () => {
  const GIB = 2 ** 30;
  const rowOf = (name: string, usedBytes: number, limitBytes: number, change: SettingResult['change']) =>
    ({
      name,
      change,
      severity: 'fine',
      kills: 0,
      refused: 0,
      course: null,
      unreached: null,
      isOfLoad: isOfLoad(change),
      isOfLimit: isOfLimit(change),
      margins: [{ group: undefined, limitBytes, usedBytes, leftBytes: limitBytes - usedBytes }],
      allocatorUs: 0,
      waitP99Us: 0,
      waitMaxUs: 0,
      waitP99Pool: null,
      waitMaxPool: null,
      heapPeakBytes: 0,
      readAgainBytes: 0,
    }) as unknown as SettingResult;
  const rows = withFront([
    rowOf('as it is', 14.7 * GIB, 15.6 * GIB, {}),
    rowOf('thp=never', 14.6 * GIB, 15.6 * GIB, { 'machine.thp': 'never' }),
    rowOf('less', 9 * GIB, 10 * GIB, { machine: { memory: '10G' } }),
    rowOf('swap', 14 * GIB, 15.6 * GIB, { 'machine.swap': '4G' }),
    rowOf('max', 14 * GIB, 15.6 * GIB, { 'cgroups.app.max': '1G' }),
  ]);
  expect(tableOfSettings(rows).rows.map((row) => row.at(-1))).toEqual([
    '',
    'best',
    'other limit',
    'other limit',
    'other limit',
  ]);
});

test('a snapshot that leaves next to nothing holds barely, its moment is told, and it is not best', async () => {
  const text = `duration: 4h
samples: 9
machine: { memory: 1G }
services:
  - { name: redis, anonymous: 500M, snapshot: { every: 1h, takes: 100s, writes: 4M } }
settings:
  - { name: 4 GB, change: { machine.memory: 4G } }
  - { name: half, change: { services.redis.anonymous: 250M } }
`;
  const { result } = await studyFleet(text, 's.yaml', here);
  const { figures, verdict, settings } = result;
  expect(figures.kills).toBe(0);
  expect(figures.lowestAvailableBytes).toBeLessThan(0.05 * figures.totalBytes);
  expect(verdict.summary).toContain('but barely');
  // In the middle of a snapshot, where no sample is.
  expect(figures.lowest!.availableBytes).toBe(figures.lowestAvailableBytes);
  expect(figures.timesUs).not.toContain(figures.lowest!.atUs);
  expect(figures.lowest!.machineAnonBytes).toBeGreaterThan(figures.anonBytes.trend.highestBytes);
  expect(settings.map(({ front }) => front)).toEqual([false, false, false]);
  // One figure of what is left, in the sum too; and what is written is said beside what is copied.
  const snapshot = verdict.findings.find(({ about }) => about === 'redis')!.text;
  expect(snapshot).toContain(`${bytes(figures.lowestAvailableBytes)} are left`);
  expect(figures.lowest!.likeliestVictim).toBe('redis');
  expect(snapshot).toContain('of 400.0 MiB (4.00 MiB a second for 100 s)');
  const [, most, atMost] = /used up, with nothing left, by (\S+) MiB a second over the 100 s.*or by (\S+) MiB/.exec(
    snapshot,
  )!;
  const room = Number(atMost) * 100;
  expect(500 * (1 - Math.exp((-Number(most) * 100) / 500))).toBeCloseTo(room, -1);
  expect(tableOfSettings(settings).rows.map((row) => [row[0], row[1], row.at(-1)])).toEqual([
    ['as it is', 'holds, barely', ''],
    ['4 GB', 'holds', 'other limit'],
    ['half', 'holds', 'other load'],
  ]);
});

test('settings of a pool that climbs: to what, and what was never reached; the peak of workers is no sample’s', async () => {
  const text = `${pool({ kept: 16384, max: '2G' })}settings:
  - { name: many, change: { pools.www.pm.max_requests: 50000 } }
  - { name: few, change: { pools.www.pm.max_requests: 50 } }
`;
  const { result } = await studyFleet(text, 's.yaml', here);
  const [asIs, many, few] = result.settings;
  expect(asIs!.course).toMatch(/^climbs to (all memory|memory\.max of php)/);
  expect(many!.unreached).toContain(`served ${result.figures.pools[0]!.mostServed} requests at most`);
  expect(asIs!.unreached).toBeNull();
  expect(few!.unreached).toBeNull();
  expect(result.settings.map(({ front }) => front)).toEqual([false, false, true]);
  const table = tableOfSettings(result.settings);
  expect(table.notes.map((note) => note.split(':')[0])).toEqual(['as it is', 'many', 'few']);
  expect(few!.replaced).toMatch(/^\d+ workers of www were replaced, one every /);
  expect([asIs!.replaced, many!.replaced]).toEqual([null, null]);
  const { mostPrivateBytes, privateBytes } = result.figures.pools[0]!;
  expect(mostPrivateBytes).toBeGreaterThanOrEqual(privateBytes.trend.highestBytes);
  const php = result.figures.groups[0]!;
  expect(php.mostFirmBytes).toBeGreaterThanOrEqual(php.firmBytes.trend.highestBytes);
  expect(php.mostFirmBytes).toBeLessThanOrEqual(php.maxBytes!);
});

test('the machine’s count of a worker is the heap’s', async () => {
  const scenario = parseScenario(pool({}), 's.yaml');
  const { pools, samples, machine } = await runFleet(scenario, here);
  const base = samples[0]!.processes.find(({ name }) => name === 'www-1')!.anonBytes;
  const last = samples.length - 1;
  pools[0]!.tasks.forEach((_, slot) => {
    const heap = pools[0]!.holdings[slot]!;
    const bytes = heap.mainHeapBytes + heap.zendBytes + heap.mappedBytes + heap.otherBytes;
    const process = samples[last]!.processes.find(({ name }) => name === `www-${slot + 1}`)!;
    const within = pools[0]!.timelines[slot]!.withinPages[last]! * 4096;
    // The program's own pages are those of the first sample, but for a few that its commands touch.
    expect(Math.abs(process.anonBytes - base - bytes - within)).toBeLessThanOrEqual(8 * 4096);
  });
  expect(machine.nowUs).toBeGreaterThanOrEqual(scenario.durationUs);
});

test('the number of threads and what is remembered change no figure', async () => {
  const scenario = parseScenario(pool({ kept: 16 }), 's.yaml');
  const [one, two] = [await runFleet(scenario, here), await runFleet(scenario, { workers: 2, remembers: false })];
  expect(two.samples).toEqual(one.samples);
  expect(two.pools[0]!.holdings).toEqual(one.pools[0]!.holdings);
});

test('OpenMetrics: each series is whole, and the end is marked', async () => {
  const { result } = await studyFleet(pool({}), 's.yaml', here);
  const lines = fleetOpenMetrics(result).split('\n');
  expect(lines.slice(-2)).toEqual(['# EOF', '']);
  expect(lines).toContain('# TYPE node_memory_Active_anon_bytes gauge');
  const series = lines
    .filter((line) => !line.startsWith('#') && line !== '')
    .map((line) => line.slice(0, line.indexOf('} ')));
  const runs = series.filter((name, i) => name !== series[i - 1]);
  expect(new Set(runs).size).toBe(runs.length);
});

test('a plan fits fewer where each needs more', async () => {
  const options = { ...here, horizons: ['20m', '80m'], risk: 1e-4, settings: 'none' as const };
  const { rows } = await planFleet(pool({ kept: 8192 }), 's.yaml', options);
  expect(rows.map(({ horizon }) => horizon)).toEqual(['20m', '80m']);
  expect(rows[1]!.fits).toBeLessThan(rows[0]!.fits);
  expect(rows[0]!.fitsAtPeak).toBeLessThanOrEqual(rows[0]!.fits);
  expect(rows.every(({ tried }) => tried)).toBe(true);
});

test('what a plan says a limit should be holds, and less does not', async () => {
  const options = { ...here, horizons: ['40m'], risk: 1e-4, settings: 'none' as const };
  const text = pool({ kept: 8192, max: '1G' });
  const { rows } = await planFleet(text, 's.yaml', options);
  const { inProgressBytes, limitBytes, tried } = rows[0]!;
  expect(tried).toBe(true);
  const killsAt = async (max: number) => {
    const { events } = await runFleet(parseScenario(text, 's.yaml', { 'cgroups.php.max': max }), here);
    return events.filter(({ kind }) => kind === 'oom-kill').length;
  };
  expect(await killsAt(limitBytes)).toBe(0);
  // The plain run has hardly more in progress than one request.
  expect(await killsAt(limitBytes - inProgressBytes - 2 ** 20)).toBeGreaterThan(0);
});

test('trends', () => {
  const times = Array.from({ length: 60 }, (_, i) => i * 60e6);
  const shape = (of: (i: number) => number) =>
    trendOf(
      times,
      times.map((_, i) => of(i) * 2 ** 20),
    );
  expect(shape(() => 100).shape).toBe('flat');
  expect(shape((i) => 100 + 10 * i).shape).toBe('climbs');
  expect(shape((i) => 100 + Math.min(300, 30 * i)).shape).toBe('levels off');
  expect(shape((i) => 1000 - 10 * i).shape).toBe('falls');
  const slowing = shape((i) => 1000 * (1 - Math.exp(-i / 30)));
  expect(slowing.towardsBytes / 2 ** 20).toBeGreaterThan(900);
  expect(slowing.towardsBytes / 2 ** 20).toBeLessThan(1150);
  expect(shape((i) => 100 + 10 * i).towardsBytes).toBe(Infinity);
  // A time is forecast where the pace holds, and not too far ahead.
  const lengthUs = times.at(-1)!;
  const steady = shape((i) => 100 + 10 * i);
  expect(whenText(steady, 600 * 2 ** 20, lengthUs)).toBe('about 1h after the end of this run at that pace');
  expect(whenText(steady, 60000 * 2 ** 20, lengthUs)).toMatch(/^not within 9h50m/);
  const late = shape((i) => 100 + (i < 45 ? 0 : 20 * (i - 44)));
  expect(late.shape).toBe('climbs');
  expect(whenText(late, 600 * 2 ** 20, lengthUs)).toMatch(/^at a time that this run does not tell/);
});

test('what climbs until somebody is killed is no matter of a few MiB more, and who fills a group is named', async () => {
  const text = `${pool({ kept: 16384, max: '96M' }).replace('cgroups: [', 'cgroups: [{ name: side, max: 200M }, ')}services:
  - { name: spool, group: side, tmpfs_grows: 1M, every: 1m }
`;
  const { result } = await studyFleet(text, 's.yaml', here);
  const { figures, verdict } = result;
  expect(figures.pools[0]!.climbedPerHourBytes).toBeGreaterThan(0);
  expect(verdict.findings[0]!.text).toMatch(
    /raising memory\.max by .* only puts it off, since what workers hold climbed/,
  );
  const side = verdict.findings.find(({ about }) => about === 'side')!;
  expect(side.text).toContain('spool adds 1.00 MiB in /dev/shm every 1m and removes nothing');
  expect(result.services).toEqual([
    'spool (service): hardly any memory of its own; every 1m it adds 1.00 MiB in /dev/shm, from the start to the end.',
  ]);
});
