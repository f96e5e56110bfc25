import { describe, expect, test } from 'vitest';
import { studyFleet } from '../../fleet/study.ts';

const here = { workers: 1 } as const;

const climbing = (how: string, max: string) => `duration: 40m
samples: 21
machine: { memory: 2G }
cgroups: [{ name: php, max: ${max} }]
pools:
  - { name: www, group: php, allocator: zendmm+glibc, worker: { anonymous: 1M }, ${how} }
requests:
  - { name: page, pool: www, workload: "php-pool:requests=1,kept=16384,calls=5,blocks=100,strings=1,baseline=60000", time: 20ms, rate: 1/s }
`;
const climbOf = async (how: string, max: string) => {
  const { verdict, figures } = (await studyFleet(climbing(how, max), 's.yaml', here)).result;
  return { ...verdict.findings.find(({ text }) => text.startsWith('What the workers of www keep'))!, figures };
};

describe('a pool that climbs and whose workers are replaced', () => {
  test('by size: its ceiling is told, and below its limit it is no end', async () => {
    const { text, severity, course } = await climbOf('recycle: 150M, pm: { max_children: 2 }', '800M');
    const [, whole] = /Its ceiling is (\S+) MiB: recycle replaces each of 2 workers/.exec(text)!;
    // Two workers of 150 MiB and their own one, less than 20 MiB more in the middle of a request, and what is beside them.
    expect(Number(whole)).toBeGreaterThan(2 * 151);
    expect(Number(whole)).toBeLessThan(2 * 151 + 25);
    expect(text).not.toContain('no ceiling');
    expect(severity).toBe('watch');
    expect(course).toBeUndefined();
  });

  test('by a size beyond its limit: it comes to the limit first', async () => {
    const { text, severity, course } = await climbOf('recycle: 600M, pm: { max_children: 2 }', '800M');
    expect(text).toMatch(/Its ceiling is 1\.\d+ GiB: .*more than memory\.max of php/);
    expect(severity).toBe('ends');
    expect(course).toMatch(/^climbs to memory\.max of php/);
  });

  test('by requests that none has served yet: how far it goes is not known', async () => {
    const { text } = await climbOf('pm: { max_children: 2, max_requests: 50000 }', '800M');
    expect(text).toMatch(/Its ceiling is what a worker has after 50,000 requests \(max_requests\).*served \S+ at most/);
    expect(text).not.toContain('no ceiling');
  });

  test('not at all: it has no ceiling', async () => {
    expect((await climbOf('pm: { max_children: 2 }', '800M')).text).toContain('it has no ceiling');
  });
});
