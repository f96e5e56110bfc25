import { describe, expect, it, test } from 'vitest';
import { runFleet } from '../../fleet/run-fleet.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';

const TEXT = `duration: 10m
samples: 11
machine: { memory: 1G }
pools:
  - name: www
    pm: { max_children: 1, max_requests: 4 }
    preload: { size: 1M }
    first:
      - { request: page, anonymous: 40K, writes: 16K }
      - { request: picture, anonymous: 100K, writes: 12K }
requests:
  - { name: page, pool: www, workload: php-pool, time: 1ms, cron: { every: 2m, count: 1 } }
  - { name: picture, pool: www, workload: php-pool, time: 1ms, cron: { every: 5m, count: 1, first: 150s } }
`;

/** Pages at 0, 2, 4, 6 and 8 minutes, pictures at 2.5 and 7.5: the first process ends behind the page at 4. */
it('what first requests write comes once a process, the most of all kinds that it has served', async () => {
  const plain = TEXT.replace(/ {4}first:\n(?: {6}.*\n)+/, '');
  const [without, both] = await Promise.all(
    [plain, TEXT].map((text) => runFleet(parseScenario(text, 's.yaml'), { workers: 1 })),
  );
  const more = (what: 'anonBytes' | 'privateAnonBytes') =>
    both!.samples.map(
      ({ processes }, i) =>
        (processes.find(({ name }) => name === 'www-1')![what] -
          without!.samples[i]!.processes.find(({ name }) => name === 'www-1')![what]) /
        1024,
    );
  const anonymous = [40, 40, 40, 100, 100, 0, 40, 40, 100, 100, 100];
  expect(more('anonBytes')).toEqual(anonymous);
  // A process that has done nothing else yet has also written to two pages of its stack for it.
  const stack = [8, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0];
  expect(more('privateAnonBytes')).toEqual(anonymous.map((kb, i) => (kb === 0 ? 0 : kb + 16 + stack[i]!)));
});

describe('a mistake is one line that names its place', () => {
  test.each([
    [
      TEXT.replace('request: picture', 'request: pictures'),
      "first.1.request: found 'pictures', expected one of page, picture",
    ],
    [
      TEXT.replace('preload: {', 'served: access.log\n    preload: {'),
      's.yaml:7: pools.0.served: found it without recorded',
    ],
    [
      TEXT.replace('preload: {', 'recorded: pool.json\n    preload: {'),
      'pools.0.first: found it without served, which says what each request was',
    ],
  ])('%#', (text, message) => {
    expect(() => parseScenario(text, 's.yaml')).toThrow(message);
  });
});
