import { expect, test } from 'vitest';
import { isOfLoad } from '../../fleet/report/setting-kind.ts';
import { runFleet } from '../../fleet/run-fleet.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { studyFleet } from '../../fleet/study.ts';
import { durationUs } from '../../sim/contract/quantities.ts';

const here = { workers: 1 } as const;
const MIB = 2 ** 20;

test('what a service writes again comes back from swap; what it never looks at stays there', async () => {
  const text = (rewrites: string) => `duration: 2h
samples: 3
machine: { memory: 512M, swap: 1G }
services:
  - { name: old, anonymous: 250M, every: 1m${rewrites} }
  - { name: young, grows: 5M, every: 1m }
`;
  const readBack = async (rewrites: string) => {
    const { samples } = await runFleet(parseScenario(text(rewrites), 's.yaml'), here);
    return samples.at(-1)!.counters['pswpin']! * 4096;
  };
  expect(await readBack('')).toBe(0);
  // Every page of it has its turn in 250 steps of 1 MiB; 60 of these come when memory is short.
  expect(await readBack(', rewrites: 1M')).toBeGreaterThan(10 * MIB);
});

test('a service that writes more than it has writes all of it', async () => {
  const text = `duration: 10m
samples: 2
machine: { memory: 512M }
services: [{ name: a, anonymous: 10M, rewrites: 64M, every: 1m, snapshot: { every: 4m, first: 90s, takes: 2m, writes: 0 } }]
`;
  const run = await runFleet(parseScenario(text, 's.yaml'), { ...here, stopAtUs: 150e6, keepsScript: true });
  expect(run.machine.script!.filter((line) => line.startsWith('a touch A'))).toEqual([
    'a touch A 0 10485760',
    'a touch A 0 10485760 stride=4096',
    'a touch A 0 10485760 stride=4096',
  ]);
  // The second came while the child had them too: all of them are there twice.
  expect(run.samples.at(-1)!.meminfo['AnonPages']).toBeGreaterThan(20 * MIB);
});

const GROWING = `duration: 5h
samples: 21
machine: { memory: 1G }
cgroups: [{ name: cache, max: 400M }]
services:
  - { name: redis, group: cache, anonymous: 100M, grows: 5M, every: 10m, snapshot: { every: 1h, takes: 100s, writes: 1M } }
`;

test('a snapshot of data that grow: all of them are shared and copied, and when there is no room is told', async () => {
  const { result } = await studyFleet(GROWING, 's.yaml', here);
  expect(result.figures.kills).toBe(0);
  // 30 steps of 5 MiB; of 250 MiB a snapshot copies 250 × (1 − e^(−100 / 250)) = 82.4 MiB.
  const finding = result.verdict.findings.find(({ about }) => about === 'redis')!;
  expect(finding.text).toContain('shares the 250.0 MiB at first (100.0 MiB at the start, 5.00 MiB more every 10m)');
  expect(finding.text).toContain('both together need 332.4 MiB');
  expect(finding.severity).toBe('ends');
  const [, course] = /^climbs to memory\.max of cache about (.*) after the end$/.exec(finding.course!)!;
  // Run for longer, it comes to its end in the first snapshot from then on.
  const [, data] = /room for data of at most (\d+)M /.exec(finding.text)!;
  const longer = await studyFleet(GROWING.replace('5h', '20h').replace('21', '81'), 's.yaml', here);
  const { firstKill } = longer.result.figures;
  expect(firstKill!.group).toBe('cache');
  const toldUs = 5 * 3600e6 + durationUs(course!)!;
  // It is told to a twentieth.
  const exactUs = 0.05 * durationUs(course!)!;
  expect(firstKill!.atUs).toBeGreaterThan(toldUs - exactUs);
  expect(firstKill!.atUs).toBeLessThan(toldUs + exactUs + 3600e6 + 100e6);
  expect(100 + 5 * Math.floor(firstKill!.atUs / 600e6)).toBeGreaterThan(Number(data));
  expect(100 + 5 * Math.floor(firstKill!.atUs / 600e6 - 6)).toBeLessThanOrEqual(Number(data));
});

test('a limit, and the data, that a snapshot is told to fit hold as they are written; the limit with some MiB less does not', async () => {
  const text = (max: string, data: string) => `duration: 40m
samples: 5
machine: { memory: 4G, thp: never }
cgroups: [{ name: cache, max: ${max} }]
services:
  - { name: redis, group: cache, anonymous: ${data}, snapshot: { every: 2h, takes: 60s, first: 10m, writes: 5M } }
`;
  const textOf = async (max: string, data: string) => {
    const { result } = await studyFleet(text(max, data), 's.yaml', here);
    return { kills: result.figures.kills, told: result.verdict.findings.map((finding) => finding.text).join(' ') };
  };
  const { kills, told } = await textOf('950M', '768M');
  expect(kills).toBeGreaterThan(0);
  const least = Number(/to at least (\d+)M,/.exec(told)![1]);
  expect(told).toContain(`raising memory.max by ${least - 950}M, to at least ${least}M`);
  expect((await textOf(`${least}M`, '768M')).kills).toBe(0);
  // It has room for a draw of writes that meet more pages than most do.
  expect((await textOf(`${least - 3}M`, '768M')).kills).toBeGreaterThan(0);
  const data = /room for data of at most (\d+M) /.exec(told)![1]!;
  expect((await textOf('950M', data)).kills).toBe(0);
});

test('all that a service keeps, reads and writes is load', () => {
  for (const word of ['anonymous', 'rewrites', 'tmpfs_grows', 'writes', 'snapshot.writes'])
    expect(isOfLoad({ [`services.a.${word}`]: '1M' })).toBe(true);
  for (const word of ['snapshot.every', 'oom_score_adj', 'every'])
    expect(isOfLoad({ [`services.a.${word}`]: '1h' })).toBe(false);
});
