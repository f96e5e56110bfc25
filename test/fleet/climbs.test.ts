import { describe, expect, test } from 'vitest';
import { trendOf } from '../../fleet/report/trend.ts';
import { studyFleet } from '../../fleet/study.ts';

const here = { workers: 1 } as const;

/** Each request leaves blocks behind, and there are fewer from ten minutes to ten minutes. */
const slowing = (max: string) => `duration: 90m
samples: 61
machine: { memory: 2G }
cgroups: [{ name: php, max: ${max} }]
pools:
  - { name: www, group: php, allocator: glibc, pm: { max_children: 2 }, worker: { anonymous: 1M } }
requests:
${[64, 51, 41, 33, 26, 21, 17, 13, 11].map((count, i) => `  - { name: page${i}, pool: www, workload: "php-pool:requests=1,kept=40000,calls=10,blocks=20,strings=1,baseline=60000", time: 20ms, cron: { every: 3h, first: ${10 * i + 1}m, count: ${count}, over: 10m } }`).join('\n')}
settings:
  - { name: the same, change: { machine.thp: never } }
`;

test('a steady climb does not slow down, however many samples there are', () => {
  for (let count = 10; count < 70; count++) {
    const times = Array.from({ length: count }, (_, i) => i * 60e6);
    const { towardsBytes, thirdsBytes } = trendOf(
      times,
      times.map((us) => 2 ** 20 * (100 + us / 6e6)),
    );
    expect(towardsBytes).toBe(Infinity);
    expect(thirdsBytes[0]).toBeCloseTo(thirdsBytes[1], 0);
  }
});

describe('what climbs, more slowly with time', () => {
  test('and goes towards a value below its limit does not reach it: no sentence says so', async () => {
    const { verdict, figures, settings } = (await studyFleet(slowing('900M'), 's.yaml', here)).result;
    const group = figures.groups[0]!;
    expect(group.firmBytes.trend.shape).toBe('climbs');
    expect(group.firmBytes.trend.towardsBytes).toBeLessThan(0.9 * group.maxBytes!);
    const told = verdict.findings.filter(({ text }) => text.includes('climbs'));
    // All of it is the pool's: it is told once.
    expect(told.map(({ about }) => about)).toEqual(['www']);
    const towards = told.map(({ text }) => /goes towards about (\S+ \S+), (\S+ %) of/.exec(text)?.slice(1));
    expect(towards[0]).toBeDefined();
    for (const { severity, text, course } of told) {
      expect(severity).toBe('watch');
      expect(text).not.toMatch(/used up|reaches|no ceiling/);
      expect(course).toBeUndefined();
    }
    expect(verdict.summary).not.toContain('climbs');
    expect(settings.map(({ course }) => course)).toEqual([null, null]);
  });

  test('and goes towards a value beyond its limit reaches it, at one time', async () => {
    const first = (await studyFleet(slowing('900M'), 's.yaml', here)).result.figures.groups[0]!.firmBytes.trend;
    const max = Math.round((first.endBytes + first.towardsBytes) / 2 / 2 ** 20);
    const { verdict } = (await studyFleet(slowing(`${max}M`), 's.yaml', here)).result;
    const courses = verdict.findings.flatMap(({ course }) => course ?? []);
    expect(courses).toHaveLength(1);
    expect(courses[0]).toMatch(/^climbs to memory\.max of php /);
  });
});

test('what the kernel keeps for page cache is no climb of its group', async () => {
  const text = `duration: 24h
samples: 145
machine: { memory: 8G, thp: never }
cgroups: [{ name: web, max: 2G }]
services:
  - { name: files, group: web, anonymous: 300M, every: 10m, reads: [{ path: srv/assets, size: 600M }], writes: [{ path: var/access.log, per_step: 4M }] }
`;
  const { result } = await studyFleet(text, 's.yaml', { workers: 1 });
  const [web] = result.figures.groups;
  // It rises, with the cache.
  expect(web!.firmBytes.trend.riseBytes).toBeGreaterThan(8 * 2 ** 20);
  expect(web!.firmBytes.kept.shape).toBe('flat');
  expect(result.verdict.severity).not.toBe('ends');
});
