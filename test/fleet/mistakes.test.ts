import { describe, expect, test } from 'vitest';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { studyFleet } from '../../fleet/study.ts';

const SMALL = `duration: 1h
machine:
  memory: 1G
  overcommit: 0
samples: 10
pools:
  - name: www
    pm: { max_children: 4, min_spare_servers: 1, max_spare_servers: 3 }
    shared:
      - { name: opcache, size: 64M, used: 8M }
requests:
  - name: page
    pool: www
    workload: php-pool
    time: 1ms
    rate: 1/s
services:
  - name: db
    every: 10m
    reads: [{ path: a, size: 1M }]
`;
const HOURS = `[${Array(24).fill(0).join(', ')}]`;

/** What is put in the place of which words, and what is said of it. */
type Mistake = readonly [string, string, string];

const said = (from: string, to: string): string => {
  expect(SMALL).toContain(from);
  try {
    parseScenario(SMALL.replace(from, to), 's.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'no mistake';
};

test('the file itself has none', () => {
  expect(said('1h', '1h')).toBe('no mistake');
});

describe('what the schema refuses is said with file, line, what was found and what was expected', () => {
  const size = 'a size such as 4096, 64K, 128M or 32G';
  test.each<Mistake>([
    ['memory: 1G', 'memory: .inf', `s.yaml:3: machine.memory: found .inf, expected ${size}`],
    ['memory: 1G', 'memory: [1G]', `s.yaml:3: machine.memory: found a list, expected ${size}`],
    ['memory: 1G', 'memory: { is: 1G }', `s.yaml:3: machine.memory: found words with values of their own, expected ${size}`],
    ['memory: 1G', 'memory:', `s.yaml:3: machine.memory: found nothing, expected ${size}`],
    ['  memory: 1G\n', '', `s.yaml:3: machine.memory: found nothing, expected ${size}`],
    ['memory: 1G', 'memory: lots', `s.yaml:3: machine.memory: found 'lots', expected ${size}`],
    ['memory: 1G', 'memory: -1', `s.yaml:3: machine.memory: found -1, expected ${size}`],
    ['samples: 10', 'samples: 1e9', 's.yaml:5: samples: found 1000000000, expected at most 5000'],
    ['samples: 10', 'samples: 1', 's.yaml:5: samples: found 1, expected at least 2'],
    ['samples: 10', 'samples: 2.5', 's.yaml:5: samples: found 2.5, expected a whole number'],
    ['samples: 10', "samples: '10'", "s.yaml:5: samples: found '10', expected a number"],
    ['samples: 10', 'samples: .nan', 's.yaml:5: samples: found .nan, expected a number'],
    ['samples: 10', 'samples: .inf', 's.yaml:5: samples: found .inf, expected a number'],
    ['samples: 10', 'samples: true', 's.yaml:5: samples: found true, expected a number'],
    ['overcommit: 0', 'overcommit: 3', 's.yaml:4: machine.overcommit: found 3, expected one of 0, 1, 2'],
    ['overcommit: 0', 'thp: on', "s.yaml:4: machine.thp: found 'on', expected one of always, madvise, never"],
    ['overcommit: 0', 'swapp: 1G', "s.yaml:4: machine: found 'swapp', expected 'swap'"],
    ['time: 1ms', 'time: 1', "s.yaml:15: requests.0.time: found 1, expected a duration such as 80ms, 10s, 5m, 72h or 30d"],
    ['rate: 1/s', 'rate: fast', "s.yaml:16: requests.0.rate: found 'fast', expected a rate such as 2/s, 90/m or 50/h"],
    ['rate: 1/s', 'rate: 1/s\n    daily: [1, 2]', 's.yaml:17: requests.0.daily: found a list of 2, expected 24'],
    ['rate: 1/s', 'rate: 1/s\n    spread: 2', 's.yaml:17: requests.0.spread: found 2, expected at most 1'],
    ['rate: 1/s', 'cron: often', "s.yaml:16: requests.0.cron: found 'often', expected words with their values"],
    ['name: www', 'name: 7', 's.yaml:7: pools.0.name: found 7, expected a text'],
    ['name: www', "name: 'a b'", "s.yaml:7: pools.0.name: found 'a b', expected a name of letters, digits, - and _"],
    ['duration: 1h', "duration: 1h\nname: 'a b'", "s.yaml:2: name: found 'a b', expected a name of letters, digits, -, _ and ."],
    ['name: www', 'name: www\n    files: many', "s.yaml:8: pools.0.files: found 'many', expected a list"],
    ['name: www', 'name: www\n    respawn: maybe', "s.yaml:8: pools.0.respawn: found 'maybe', expected true or false"],
    ['path: a', 'path: /a b/', "s.yaml:20: services.0.reads.0.path: found '/a b/', expected a path of names without spaces"],
    ['services:', 'cgroups: [{ name: /a }]\nservices:', "s.yaml:17: cgroups.0.name: found '/a', expected a name of letters, digits, -, _, . and /"],
    ['services:', 'settings: [{ name: x, change: y }]\nservices:', "s.yaml:17: settings.0.change: found 'y', expected words with their values"],
    ['time: 1ms', `time: ${'9'.repeat(70)}ns`, `s.yaml:15: requests.0.time: found '${'9'.repeat(60)}…', expected a duration such as 80ms, 10s, 5m, 72h or 30d`],
  ])('%j: %j', (from, to, message) => {
    expect(said(from, to)).toBe(message);
  }); // biome-ignore format: a table
});

describe('so is what the file says against itself', () => {
  test.each<Mistake>([
    ['rate: 1/s', 'rate: 1000000/s', 's.yaml:16: requests.0.rate: found 3600000000 requests up to here in 1h, expected at most 50000000'],
    ['rate: 1/s', 'cron: { every: 1us, count: 1 }', 's.yaml:16: requests.0.cron: found 3600000000 requests up to here in 1h, expected at most 50000000'],
    ['rate: 1/s', 'cron: { every: 0s, count: 1 }', "s.yaml:16: requests.0.cron.every: found '0s', expected more than nothing"],
    ['rate: 1/s', `rate: 1/s\n    daily: ${HOURS}`, 's.yaml:17: requests.0.daily: found 0 for every hour, expected one above 0'],
    ['rate: 1/s', `log: x\n    daily: ${HOURS}`, 's.yaml:17: requests.0.daily: found it without a rate, expected both'],
    ['rate: 1/s', 'rate: 1/s\n    log: x', 's.yaml:12: requests.0: found 2 of rate, cron and log, expected one of them'],
    ['workload: php-pool', 'about: x', "s.yaml:14: requests.0: found 'about', expected one of name, pool, workload, trace, variants, time, spread, rate, daily, cron, log, match, share"],
    ['    workload: php-pool\n', '', 's.yaml:12: requests.0: found neither workload nor trace, expected one of them'],
    ['every: 10m', 'every: 1us', 's.yaml:19: services.0.every: found 3600000000 steps in 1h, expected at most 50000000'],
    ['every: 10m', 'every: 0s', "s.yaml:19: services.0.every: found '0s', expected more than nothing"],
    ['every: 10m', 'snapshot: { every: 1m, takes: 2m, writes: 1M }', 's.yaml:19: services.0.snapshot: found one that takes 2m, every 1m; expected it to end before the next'],
    ['used: 8M', 'used: 80M', "s.yaml:10: pools.0.shared.0.used: found '80M', expected at most its size (64M)"],
    ['min_spare_servers: 1', 'min_spare_servers: 4', 's.yaml:8: pools.0.pm: found min_spare_servers 4, expected at most max_spare_servers (3)'],
    ['min_spare_servers: 1', 'start_servers: 5', 's.yaml:8: pools.0.pm.start_servers: found 5, expected at most max_children (4)'],
    ['name: www', 'name: www\n    served: x', 's.yaml:8: pools.0.served: found it without recorded, expected both'],
    ['name: www', 'name: www\n    first: [{ request: other }]', "s.yaml:8: pools.0.first.0.request: found 'other', expected one of page"],
    ['services:', 'cgroups: [{ name: a/b }]\nservices:', "s.yaml:17: cgroups.0.name: found 'a/b', expected its parent 'a' before it"],
    ['services:', '  - *none\nservices:', "s.yaml:17: found '*none', expected its anchor &none before it"],
  ])('%j: %j', (from, to, message) => {
    expect(said(from, to)).toBe(message);
  }); // biome-ignore format: a table
});

test('aliases of aliases', () => {
  const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`);
  expect(() => parseScenario(`a0: &a0 [x]\n${levels.join('\n')}\n`, 's.yaml')).toThrow(
    's.yaml:2: found aliases of aliases that stand for more than the file is, expected few',
  );
});

describe('a mistake in a setting is told at its own line', () => {
  test.each([
    ['pools.web.recycle: 1M', "found 'pools.web.recycle', and nothing there has the name 'web'"],
    ['samples.many: 1', "found 'samples.many', which leads nowhere after 'samples'"],
    ['pools.www.pm.max_children: -1', 'pools.0.pm.max_children: found -1, expected at least 1'],
    ['machine.memory: 1M', "machine.memory: found '1M', expected at least 192M"],
  ])('%s', async (change, message) => {
    const text = `${SMALL}settings:\n  - { name: a, change: {} }\n  - name: b\n    change:\n      seed: 2\n      ${change}\n`;
    await expect(studyFleet(text, 's.yaml')).rejects.toThrow(`s.yaml:26: settings.1.change: ${message}`);
  });
});
