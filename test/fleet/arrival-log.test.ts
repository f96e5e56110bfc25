import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { arrivalsOf } from '../../fleet/requests/arrivals.ts';
import { parseLogLine } from '../../fleet/requests/log-line.ts';
import { runFleet } from '../../fleet/run-fleet.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { FILE_SOURCES } from '../../fleet/scenario/sources.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const NGINX = `10.0.0.7 - - [29/Nov/2026:09:00:01 +0000] "GET /resize?w=300 HTTP/1.1" 200 5120 "-" "curl/7.88.1"
10.0.0.8 - - [29/Nov/2026:09:00:00 +0000] "GET /cart HTTP/1.1" 200 812 "https://shop/" "Mozilla/5.0"
10.0.0.8 - - [29/Nov/2026:09:00:01 +0000] "POST /cart HTTP/1.1" 302 0 "-" "Mozilla/5.0"
10.0.0.9 - - [29/Nov/2026:10:00:05 +0100] "GET /logo.png HTTP/1.1" 200 999 "-" "Mozilla/5.0"
`;

/** Two requests by the words that say how they arrive. */
const scenarioOf = (resize: string, page = '', rest = '') =>
  parseScenario(
    `duration: 1h
machine: { memory: 1G }
pools: [{ name: www, pm: { max_children: 2 } }]
requests:
  - { name: resize, pool: www, workload: php-pool, time: 1ms, ${resize} }
${page && `  - { name: page, pool: www, workload: php-pool, time: 1ms, ${page} }`}
${rest}
`,
    's.yaml',
  );

/** Seconds and names of all arrivals, with logs by their names. */
function arrivalsIn(logs: Record<string, string>, scenario: ReturnType<typeof scenarioOf>) {
  const found = arrivalsOf(scenario, { ...FILE_SOURCES, text: (path) => logs[path]! });
  const all = Array.from(found.atUs, (us, i) => [us / 1e6, scenario.requests[found.kind[i]!]!.name]);
  return { all, logs: found.logs };
}

describe('a line', () => {
  const UTC = Date.UTC(2026, 10, 29, 9, 0, 1) * 1000;
  test.each([
    ['10.0.0.7 - - [29/Nov/2026:09:00:01 +0000] "GET /resize?w=300 HTTP/1.1" 200 5', UTC, '/resize?w=300'],
    ['shop:443 ::1 - - [29/Nov/2026:14:30:01 +0530] "GET / HTTP/1.1" 200 5', UTC, '/'],
    ['2001:db8::1 - - [28/Nov/2026:23:00:01 -1000] "-" 408 0 "-" "-"', UTC, '"-" 408 0 "-" "-"'],
    [`${UTC / 1e6}.123 GET /resize?w=300 HTTP/1.1`, UTC + 123000, '/resize?w=300'],
    [`${UTC / 1e6}.123 10.0.0.7 "GET /a HTTP/2.0" 200`, UTC + 123000, '/a'],
    [`${UTC / 1e3},/a`, UTC, '/a'],
    ['{"time":"2026-11-29T10:00:01+01:00","request":"GET /a HTTP/1.1"}', UTC, '/a'],
    ['2026-11-29 09:00:01.5Z /a', UTC + 500000, '/a'],
    ['12.5,/a b', 12.5e6, '/a b'],
    ['12', 12e6, ''],
  ])('%s', (line, us, target) => {
    expect(parseLogLine(line)).toMatchObject({ us, target, isDated: us > 1e12 });
  });

  test.each([
    '',
    'GET /a',
    '[31/Nov/2026:09:00:01 +0000]',
    '[29/Nov/2026:24:00:01 +0000]',
    '[29/Foo/2026:09:00:01 +0000]',
    '-5',
    '12345678901 /a',
    '2026-11-29T09:00:01 /a',
  ])('%s has no time', (line) => expect(parseLogLine(line)).toBeUndefined());
});

test('who a line is goes by match; lines are in the order of their time, and those of one second spread over it', () => {
  const scenario = scenarioOf(
    'log: access.log, match: ^/resize',
    'log: access.log, match: ^/cart',
    'logs: { unmatched: ignore }',
  );
  const { all, logs } = arrivalsIn({ 'access.log': NGINX }, scenario);
  expect(all).toEqual([
    [0, 'page'],
    [1, 'resize'],
    [1.5, 'page'],
  ]);
  const originUs = Date.UTC(2026, 10, 29, 9) * 1000;
  expect(logs).toEqual([{ name: 'access.log', requests: 3, unmatched: 1, early: 0, late: 0, lastUs: 1.5e6, originUs }]);
});

test('what matches nothing goes by shares; a request without match takes all of it', () => {
  const lines = Array.from({ length: 4000 }, (_, i) => `${i * 0.5} ${i % 4 === 0 ? '/resize' : '/page'}`).join('\n');
  const rest = arrivalsIn({ log: lines }, scenarioOf('log: log, match: ^/resize', 'log: log')).all;
  expect(rest.filter(([, name]) => name === 'resize').length).toBe(1000);
  expect(rest.length).toBe(4000);
  const shared = arrivalsIn({ log: lines }, scenarioOf('log: log, share: 0.2', 'log: log, share: 0.8')).all;
  const resizes = shared.filter(([, name]) => name === 'resize').length;
  expect(Math.abs(resizes - 800)).toBeLessThan(5 * Math.sqrt(4000 * 0.2 * 0.8));
});

test('start says when the scenario begins; what is outside is counted', () => {
  const scenario = scenarioOf('log: access.log', '', 'logs: { start: "2026-11-29T08:00:01+00:00" }');
  const { all, logs } = arrivalsIn({ 'access.log': NGINX }, scenario);
  expect(all).toEqual([[3599, 'resize']]);
  expect(logs[0]).toMatchObject({ requests: 1, early: 0, late: 3 });
  const later = scenarioOf('log: access.log', '', 'logs: { start: "2026-11-29T09:00:01Z" }');
  expect(arrivalsIn({ 'access.log': NGINX }, later).logs[0]).toMatchObject({ requests: 3, early: 1, late: 0 });
});

test('rotated logs, packed or not, are one log in time; days and zones pass', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'a.log.1.gz'), gzipSync('::1 - - [31/Dec/2026:23:59:50 +0000] "GET /a HTTP/1.1" 200 1\n'));
  writeFileSync(join(folder, 'a.log'), '::1 - - [01/Jan/2027:01:00:10 +0100] "GET /b HTTP/1.1" 200 1\n');
  const scenario = { ...scenarioOf('log: [a.log, a.log.1.gz]'), folder };
  expect([...arrivalsOf(scenario).atUs]).toEqual([0, 20e6]);
});

describe('a mistake in a log is one line that names its place', () => {
  test.each([
    [
      'log: log',
      '',
      '',
      '1 /a\nGET /b\n',
      "log:2: found 'GET /b', expected a time such as [29/Nov/2026:09:00:01 +0000]",
    ],
    [
      'log: log',
      '',
      '',
      '1 /a\n1764406801.123 /a\n',
      "log:2: found '1764406801.123 /a', expected seconds from the start as in line 1",
    ],
    ['log: log, match: ^/a', '', '', '# path\n1 /a\n2 /b\n', "log:3: found '/b', which no request of this log matches"],
    [
      'log: log, match: ^/a',
      'log: log',
      '',
      '1 /b\n',
      "s.yaml:5: requests.0.match: found '^/a', which matches no line of log",
    ],
    [
      'log: log',
      '',
      '',
      '7200 /a\n',
      'log: found 0 lines before the start, 1 after the end, expected some within the 1h',
    ],
    ['log: log', '', '', '', 'log: found 0 lines before the start, 0 after the end, expected some within the 1h'],
  ])('%#', (resize, page, rest, text, message) => {
    expect(() => arrivalsIn({ log: text }, scenarioOf(resize, page, rest))).toThrow(message);
  });

  test.each([
    [
      'log: log, match: "(["',
      '',
      's.yaml:5: requests.0.match: found /([/: Unterminated character class, expected a regular expression',
    ],
    ['rate: 1/s, match: /a', '', 's.yaml:5: requests.0.match: found it without a log'],
    ['cron: { every: 1h, count: 1 }, share: 1', '', 's.yaml:5: requests.0.share: found it without a log'],
    [
      'log: log',
      'logs: { start: noon }',
      "s.yaml:7: logs.start: found 'noon', expected a time such as 2026-11-29T00:00:00Z",
    ],
  ])('%s %s', (resize, rest, message) => {
    expect(() => scenarioOf(resize, '', rest)).toThrow(message);
  });
});

test('a run says what its logs gave', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'access.log'), NGINX);
  const scenario = { ...scenarioOf('log: access.log'), folder };
  const run = await runFleet(scenario, { workers: 1 });
  expect(run.arrivals.logs).toHaveLength(1);
  expect(run.pools[0]!.schedule.waitUs.length).toBe(4);
});

test('the log that docs/fleet.md shows is one that can be read', () => {
  const docs = readFileSync(new URL('../../docs/fleet.md', import.meta.url), 'utf8');
  const shown = /### A recorded arrival log[\s\S]*?```yaml\n([\s\S]*?)```/.exec(docs)![1]!;
  const text = `duration: 1h\nmachine: { memory: 1G }\npools: [{ name: www, pm: { max_children: 2 } }]\n${shown}`;
  const scenario = parseScenario(text, 's.yaml');
  const lines = ['00:00:10 /resize?w=3', '00:00:20 /admin/a', '00:00:30 /b'].map((line) => {
    const [time, target] = line.split(' ');
    return `[29/Nov/2026:${time} +0100] "GET ${target} HTTP/1.1"`;
  });
  const logs = { 'access.log.1.gz': lines[0]!, 'access.log': lines.slice(1).join('\n') };
  expect(arrivalsIn(logs, scenario).all).toEqual([
    [10, 'resize'],
    [20, 'admin'],
    [30, 'page'],
  ]);
});
