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

test('the moment of the first kill is in the picture, which no sample shows, and what decides stands first', async () => {
  const { result } = await studyFleet(
    `duration: 1h
samples: 5
machine: { memory: 1G }
services:
  - { name: db, anonymous: 500M, snapshot: { every: 20m, takes: 60s, writes: 20M } }
  - { name: other, anonymous: 100M }
settings:
  - { name: more, change: { machine.memory: 2G } }
`,
    's.yaml',
    { workers: 1 },
  );
  const kill = result.figures.firstKill!;
  const page = fleetPage(result);
  const numbers = (name: string) => JSON.parse(new RegExp(`"${name}":(\\[[-\\d.,e+]+\\])`).exec(page)![1]!) as number[];
  const ns = numbers('ns');
  expect(ns).toHaveLength(6);
  const at = ns.indexOf(kill.atUs * 1000);
  expect(at).toBe(kill.beforeSample);
  const available = numbers('availableBytes');
  expect(available[at]).toBe(kill.availableBytes);
  expect(available.filter((bytes) => bytes < 2 ** 26)).toEqual([kill.availableBytes]);
  expect(page).toContain('["samples","5, over 1 h"]');
  expect(page).toContain('"mark":"bad"');
  expect(page).toContain('{"about":"FAILS, machine","text":"From ');
  expect(page).toContain('"head":["","outcome","left","used","","front"]');
  expect(page).toContain('["as it is","1 killed","none"');
});
