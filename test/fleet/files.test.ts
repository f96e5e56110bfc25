import { expect, test } from 'vitest';
import { runFleet } from '../../fleet/run-fleet.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';

const MB = 2 ** 20;

async function lastOf(text: string) {
  const run = await runFleet(parseScenario(`duration: 1h\nsamples: 4\n${text}`, 's.yaml'), { workers: 1 });
  return { run, last: run.samples.at(-1)! };
}

test('files may lie in folders: they are read, written, mapped, and in the page cache', async () => {
  const { run, last } = await lastOf(`machine: { memory: 1G }
pools: [{ name: www, pm: { max_children: 2 }, files: [{ path: usr/sbin/php-fpm8.2, size: 5M }] }]
services:
  - name: job
    every: 30m
    reads: [{ path: /srv/data/x, size: 40M }]
    writes: [{ path: var/log/job/log, per_step: 10M }]
    dentries: 1000
`);
  expect(run.events).toEqual([]);
  const cached = last.meminfo['Cached']! - last.meminfo['Shmem']!;
  expect(cached).toBeGreaterThan(65 * MB);
  expect(cached).toBeLessThan(75 * MB);
  const workers = last.processes.filter(({ name }) => name.startsWith('www-'));
  expect(workers.map(({ fileBytes }) => fileBytes >= 5 * MB)).toEqual([true, true]);
  expect(last.meminfo['Slab']! - run.samples[0]!.meminfo['Slab']!).toBeLessThan(MB);
  expect(run.machine.run.files.names.count).toBeGreaterThan(1000);
});

test('a worker that uses memory which it was refused dies, and that is no kill of the kernel’s', async () => {
  const { run } = await lastOf(`machine: { memory: 512M, overcommit: 2 }
pools: [{ name: www, pm: { max_children: 4 }, worker: { anonymous: 20M } }]
requests: [{ name: big, pool: www, workload: "php-pool:requests=1,kept=0,buffer=1M,calls=4", time: 10m, cron: { every: 30m, count: 4 } }]
services: [{ name: cache, anonymous: 170M }]
`);
  expect(run.events.some(({ text }) => text.includes('was refused memory that it needed, and died'))).toBe(true);
  expect(run.events.some(({ kind }) => kind === 'oom-kill')).toBe(false);
});
