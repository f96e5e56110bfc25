import { expect, test } from 'vitest';
import { runFleet } from '../../fleet/run-fleet.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { studyFleet } from '../../fleet/study.ts';

const here = { workers: 1 } as const;

/** Two requests of about 60 MiB at once that go on for four samples, where there is room for one and a half. */
const TWO = `duration: 1h
samples: 13
machine: { memory: 1G }
cgroups: [{ name: jobs, max: 110M }]
pools:
  - { name: job, group: jobs, allocator: glibc, pm: { max_children: 2 }, worker: { anonymous: 1M } }
requests:
  - { name: export, pool: job, workload: "php-pool:requests=1,blocks=100,strings=0,calls=60,buffer=1000000,kept=0,baseline=60000", time: 20m, cron: { every: 1h, count: 2, first: 7m } }
`;

test('a request that ended with its process is not in progress any more: nobody is killed for it again', async () => {
  const run = await runFleet(parseScenario(TWO, 's.yaml'), here);
  expect(run.events.map(({ kind, request }) => [kind, request])).toEqual([['oom-kill', 'export']]);
  expect(run.events[0]!.atUs).toBe(run.firstKill!.sample.atUs);
  // The other one comes to its end, and what it needs is all that is needed from then on.
  const { beforeSample } = run.firstKill!;
  const needs = run.samples.map(({ withinPeakBytes }) => withinPeakBytes / 2 ** 20);
  expect(needs[beforeSample + 1]).toBeGreaterThan(50);
  expect(needs[beforeSample + 1]).toBeLessThan(70);
});

test('workers of several pools together: what they have at once, not what each has at some time', async () => {
  const text = `duration: 2h
samples: 25
machine: { memory: 1G }
pools:
  - { name: a, allocator: glibc, pm: { max_children: 1 } }
  - { name: b, allocator: glibc, pm: { max_children: 1 } }
requests:
  - { name: x, pool: a, workload: "php-pool:requests=1,blocks=100,strings=0,calls=60,buffer=1000000,kept=0,baseline=60000", time: 5m, cron: { every: 2h, count: 1, first: 10m } }
  - { name: y, pool: b, workload: "php-pool:requests=1,blocks=100,strings=0,calls=60,buffer=1000000,kept=0,baseline=60000", time: 5m, cron: { every: 2h, count: 1, first: 70m } }
`;
  const { result } = await studyFleet(text, 's.yaml', here);
  const [a, b] = result.figures.pools;
  expect(a!.mostPrivateBytes).toBeGreaterThan(50 * 2 ** 20);
  expect(b!.mostPrivateBytes).toBeGreaterThan(50 * 2 ** 20);
  expect(result.figures.mostPrivateBytes).toBeLessThan(0.7 * (a!.mostPrivateBytes + b!.mostPrivateBytes));
});
