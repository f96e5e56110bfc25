import { describe, expect, test } from 'vitest';
import { runFleet } from '../../fleet/run-fleet.ts';
import { builtInScenario, builtInScenarios } from '../../fleet/scenario/built-in.ts';
import { looksLikeScenario } from '../../fleet/scenario/looks-like.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { durationText, durationUs, ratePerSecond, sizeBytes } from '../../sim/contract/quantities.ts';

const SMALL = `duration: 1h
machine: { memory: 1G }
pools:
  - name: www
    pm: { max_children: 2 }
requests:
  - { name: page, pool: www, workload: php-pool, time: 1ms, rate: 1/s }
`;

test('quantities', () => {
  expect(sizeBytes('1.5G')).toBe(1610612736);
  expect(sizeBytes('12')).toBe(12);
  expect(sizeBytes('12X')).toBeUndefined();
  expect(durationUs('1h30m')).toBe(5400e6);
  expect(durationUs('80ms')).toBe(80000);
  expect(durationUs('5')).toBeUndefined();
  expect(ratePerSecond('90/m')).toBeCloseTo(1.5);
  expect([0, 80000, 45e6, 5400e6, 259200e6].map(durationText)).toEqual(['0s', '80 ms', '45s', '1h30m', '72h']);
});

describe('a mistake is one line that names its place', () => {
  test.each([
    [SMALL.replace('1G', '64M'), "s.yaml:2: machine.memory: found '64M', expected at least 192M"],
    [
      SMALL.replace('max_children: 2', 'max_childen: 2'),
      "s.yaml:5: pools.0.pm: found 'max_childen', expected 'max_children'",
    ],
    [SMALL.replace('1G', '1X'), "s.yaml:2: machine.memory: found '1X', expected a size such as 4096, 64K, 128M or 32G"],
    [SMALL.replace('pool: www', 'pool: web'), "s.yaml:7: requests.0.pool: found 'web', expected one of www"],
    [SMALL.replace(', rate: 1/s', ''), 's.yaml:7: requests.0: found 0 of rate, cron and log, expected one of them'],
    [SMALL.replace('duration: 1h', 'duration: 0'), "s.yaml:1: duration: found '0', expected more than nothing"],
    [
      SMALL.replace('name: www\n', 'name: www\n    group: php\n'),
      "s.yaml:5: pools.0.group: found 'php', expected a cgroup, and there is none",
    ],
    [
      'duration: 1h\nmachine: { memory: 1G }\n',
      's.yaml:1: found neither pools nor services, expected something that runs',
    ],
    [
      `${SMALL}cgroups: [{ name: a, max: 1G }, { name: a, max: 2G }]\n`,
      "s.yaml:8: cgroups.1.name: found 'a' twice, expected names of their own",
    ],
    [
      `${SMALL}settings: [{ name: x, change: {} }, { name: x, change: {} }]\n`,
      "s.yaml:8: settings.1.name: found 'x' twice, expected names of their own",
    ],
    [
      `${SMALL}services: [{ name: www, anonymous: 1M }]\n`,
      "s.yaml:8: services.0.name: found 'www' twice, expected names of their own",
    ],
    [
      `${SMALL}services: [{ name: a, reads: [{ path: srv/x, size: 1M }], writes: [{ path: /srv, per_step: 1M }] }]\n`,
      "s.yaml:8: services.0.writes.0.path: found '/srv', which is a folder of 'srv/x'; expected a file",
    ],
    [
      `${SMALL}services: [{ name: a, reads: [{ path: my file, size: 1M }] }]\n`,
      "s.yaml:8: services.0.reads.0.path: found 'my file', expected a path of names without spaces",
    ],
    ['['.repeat(20_000), 's.yaml:1: found lists or maps within each other by the thousand, expected a few levels'],
    [`${SMALL}  bad: [`, 's.yaml:8: All mapping items must start at the same column'],
  ])('%#', (text, message) => {
    expect(() => parseScenario(text, 's.yaml')).toThrow(message);
  });
});

describe('a file that cannot be read is one line that names its place', () => {
  const folder = '/nowhere';
  test.each([
    ['trace: x.htb', /^\/nowhere\/s\.yaml:7: requests\.0\.trace: .*\/nowhere\/x\.htb/],
    ['workload: php-pool, log: x.csv', /^\/nowhere\/s\.yaml:7: requests\.0\.log: .*\/nowhere\/x\.csv/],
    ['workload: php-poool', /^\/nowhere\/s\.yaml:7: requests\.0\.workload: /],
    ['workload: __proto__', /^\/nowhere\/s\.yaml:7: requests\.0\.workload: found workload '__proto__'/],
  ])('%s', async (words, message) => {
    const text = SMALL.replace('workload: php-pool', words).replace(words.includes('log:') ? ', rate: 1/s' : '\0', '');
    await expect(runFleet(parseScenario(text, `${folder}/s.yaml`), { workers: 1 })).rejects.toThrow(message);
  });

  test.each([
    ['startup', 'x.htb', 'x\\.htb'],
    ['recorded', 'x.json', 'x\\.json'],
  ])('%s', async (word, path, pattern) => {
    const text = SMALL.replace('name: www\n', `name: www\n    ${word}: ${path}\n`);
    const message = new RegExp(`^/nowhere/s\\.yaml:5: pools\\.0\\.${word}: .*/nowhere/${pattern}`);
    await expect(runFleet(parseScenario(text, `${folder}/s.yaml`), { workers: 1 })).rejects.toThrow(message);
  });
});

test('a change goes by names, and a wrong one is said', () => {
  const changed = parseScenario(SMALL, 's.yaml', { 'pools.www.pm.max_children': 7, 'requests.page.rate': '2/s' });
  expect(changed.pools[0]!.pm.max_children).toBe(7);
  expect(changed.requests[0]!.rate).toBe('2/s');
  expect(() => parseScenario(SMALL, 's.yaml', { 'pools.web.recycle': '1M' })).toThrow(
    "nothing there has the name 'web'",
  );
  expect(() => parseScenario(SMALL, 's.yaml', { 'pools.www.pm.modus': 'static' })).toThrow(
    "found 'modus', expected 'mode'",
  );
});

test('scenarios that come with the program can be read, and so can all that they change', () => {
  const found = builtInScenarios();
  expect(found.map(({ name }) => name)).toContain('fpm-lanczos-72h');
  for (const { name, about } of found) {
    const { text, path } = builtInScenario(name)!;
    expect(about).not.toBe('');
    expect(looksLikeScenario(text)).toBe(true);
    for (const { change } of parseScenario(text, path).settings) parseScenario(text, path, change);
  }
  expect(looksLikeScenario('new p1\np1 mmap A 4K private\n')).toBe(false);
});
