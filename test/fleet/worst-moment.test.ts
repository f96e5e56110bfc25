import { describe, expect, test } from 'vitest';
import { studyFleet } from '../../fleet/study.ts';

const MIB = 2 ** 20;
const here = { workers: 1 } as const;

/** Two exports at once between two samples; each leaves most of what it took behind. */
function exports(mode: string, max: string, recycle = ''): string {
  return `duration: 20m
samples: 5
machine: { memory: 1G }
cgroups: [{ name: jobs, max: ${max} }]
pools:
  - { name: jobs, group: jobs, allocator: glibc, pm: { max_children: 2, ${mode} }, worker: { anonymous: 8M }, ${recycle} }
requests:
  - { name: export, pool: jobs, workload: "php-pool:requests=1,calls=400,kept=60000,blocks=2000,strings=1", time: 40s, cron: { every: 1h, count: 2, over: 1s, first: 6m } }
`;
}

describe.each(['mode: static', 'mode: ondemand, process_idle_timeout: 30m'])('the worst moment, %s', (mode) => {
  const worst = async (max: string) => (await studyFleet(exports(mode, max), 's.yaml', here)).result.figures;

  test('workers that grow by what they keep are counted once, and those that begin then are counted', async () => {
    const figures = await worst('600M');
    const [group, pool] = [figures.groups[0]!, figures.pools[0]!];
    const atMostBytes = 2 * (pool.heapPeakBytes + 8 * MIB);
    expect(pool.heapKeptBytes).toBeGreaterThan(0.6 * pool.heapPeakBytes);
    expect(pool.mostPrivateBytes).toBeLessThan(atMostBytes + 2 * MIB);
    expect(pool.mostPrivateBytes).toBeGreaterThan(atMostBytes - 2 * MIB);
    expect(group.mostFirmBytes).toBeGreaterThanOrEqual(pool.mostPrivateBytes);
    expect(group.mostFirmBytes).toBeLessThan(pool.mostPrivateBytes + 4 * MIB);
  });

  test('what is used at most is what the limit has to be', async () => {
    const { mostFirmBytes } = (await worst('600M')).groups[0]!;
    const [more, less] = [1.03, 0.97].map((share) => `${Math.round((mostFirmBytes * share) / MIB)}M`);
    const enough = await worst(more!);
    expect(enough.kills).toBe(0);
    expect(enough.lowestInGroup!.groups[0]!.currentBytes).toBeLessThanOrEqual(enough.groups[0]!.maxBytes!);
    expect(enough.lowestInGroup!.pools[0]!.largestBytes).toBeGreaterThan(enough.pools[0]!.heapPeakBytes);
    expect((await worst(less!)).kills).toBeGreaterThan(0);
  });
});

describe('two pools below one limit', () => {
  const both = (site: string, a: string) => `duration: 20m
samples: 5
machine: { memory: 1G }
cgroups: [{ name: site, max: ${site} }, { name: site/a, max: ${a} }, { name: site/b }]
pools:
  - { name: a, group: site/a, allocator: glibc, pm: { max_children: 1 }, worker: { anonymous: 8M } }
  - { name: b, group: site/b, allocator: glibc, pm: { max_children: 1 }, worker: { anonymous: 8M } }
requests:
${['a', 'b'].map((name) => `  - { name: export-${name}, pool: ${name}, workload: "php-pool:requests=1,calls=1,kept=0,blocks=20,strings=1,buffer=67108864", time: 40s, cron: { every: 1h, count: 1, first: 6m } }`).join('\n')}
`;
  const followed = async (site: string, a: string) => (await studyFleet(both(site, a), 's.yaml', here)).result.figures;

  test('need of it what both need at once', async () => {
    const enough = await followed('900M', '900M');
    expect(enough.kills).toBe(0);
    const [site, a] = enough.groups.map(({ mostFirmBytes }) => mostFirmBytes / MIB);
    expect(site).toBeGreaterThan(1.9 * a!);
    // Each of them alone has room.
    expect((await followed(`${Math.round(0.9 * site!)}M`, '900M')).kills).toBeGreaterThan(0);
  });

  test('the group above holds no more than its parts, where one is killed at a limit of its own', async () => {
    const { kills, groups, mostPrivateBytes } = await followed('900M', '60M');
    expect(kills).toBeGreaterThan(0);
    const [site, a] = groups;
    expect(a!.mostFirmBytes).toBeLessThanOrEqual(60 * MIB);
    expect(site!.mostFirmBytes).toBeLessThan(mostPrivateBytes + 4 * MIB);
  });
});

test('who has what at the worst moment is told by name: a job that is there the whole time, beside a snapshot', async () => {
  const text = `duration: 20m
samples: 5
machine: { memory: 1G }
services:
  - { name: redis, anonymous: 340M, snapshot: { every: 10m, first: 6m, takes: 60s, writes: 20M } }
  - { name: report, anonymous: 100M }
`;
  const { verdict } = (await studyFleet(text, 's.yaml', here)).result;
  const burst = verdict.findings.find(({ text: words }) => words.includes('Between samples'));
  expect(burst?.text).toMatch(/ Then redis has 6\d\d\.\d MiB, report has 10\d\.\d MiB\. /);
});
