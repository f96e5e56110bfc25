import { expect, test } from 'vitest';
import { fleetPage } from '../../bench/report/fleet-page.ts';
import { studyFleet } from '../../fleet/study.ts';

test('the page draws each cgroup with a limit, without its page cache too, and tells the services', async () => {
  const { result } = await studyFleet(
    `duration: 1h
samples: 5
machine: { memory: 2G }
cgroups: [{ name: job, max: 256M }, { name: free }]
services:
  - { name: indexer, group: job, anonymous: 40M, reads: [{ path: data, size: 1G, per_step: 100M }] }
  - { name: other, group: free, anonymous: 10M }
`,
    's.yaml',
    { workers: 1 },
  );
  const page = fleetPage(result);
  const [, groups] = /"groups":(\[\{.*?\}\])/.exec(page)!;
  const [job, ...others] = JSON.parse(groups!) as {
    name: string;
    maxBytes: number;
    currentBytes: number[];
    firmBytes: number[];
  }[];
  expect(others).toEqual([]);
  expect(job).toMatchObject({ name: 'job', maxBytes: 2 ** 28 });
  // It stands at its limit by page cache alone.
  expect(job!.currentBytes.at(-1)! / 2 ** 28).toBeCloseTo(1, 1);
  expect(job!.firmBytes.at(-1)!).toBeLessThan(60 * 2 ** 20);
  expect(page).toContain('reads 100.0 MiB of data (1.00 GiB)');
});
