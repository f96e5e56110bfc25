import { expect, test } from 'vitest';
import { tableOfSettings } from '../../fleet/report/settings-table.ts';
import { studyFleet } from '../../fleet/study.ts';

const PAGE = 'php-pool:requests=1,kept=0,calls=2,blocks=20,strings=1,baseline=60000';

const pools = (...names: string[]) => `duration: 20m
samples: 5
machine: { memory: 1G }
pools:
${names.map((name) => `  - { name: ${name}, allocator: glibc, pm: { max_children: 1 } }`).join('\n')}
requests:
${names.map((name, i) => `  - { name: of-${name}, pool: ${name}, workload: "${PAGE}", time: ${3 - i}s, cron: { every: 1h, count: 5, over: 1s, first: 5m } }`).join('\n')}
settings:
  - { name: more of slow, change: { pools.slow.pm.max_children: 5 } }
`;

test('of several pools the one is named in which a wait is, of each setting', async () => {
  const { settings } = (await studyFleet(pools('slow', 'fast'), 's.yaml', { workers: 1 })).result;
  expect(settings.map(({ waitP99Pool, waitMaxPool }) => [waitP99Pool, waitMaxPool])).toEqual([
    ['slow', 'slow'],
    ['fast', 'fast'],
  ]);
  const { legend } = tableOfSettings(settings);
  expect(legend).toContain('most: of all, in the pool in which that is most: slow (as it is); fast (more of slow)');
  expect(tableOfSettings(settings.slice(0, 1)).legend).toContain(
    'the one that waits longest, in slow, the pool in which that is most; most: of all, in slow,',
  );
});

test('of one pool nothing is named', async () => {
  const { settings } = (await studyFleet(pools('slow'), 's.yaml', { workers: 1 })).result;
  expect(settings[0]!.waitMaxUs).toBeGreaterThan(0);
  expect(tableOfSettings(settings).legend).toContain('the one that waits longest; most: of all');
});
