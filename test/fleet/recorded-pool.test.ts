import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordedParts } from '../../fleet/engine/recorded-parts.ts';
import { runFleet } from '../../fleet/run-fleet.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { FILE_SOURCES, type FleetSources } from '../../fleet/scenario/sources.ts';
import { filesOfScenario } from '../../fleet/scenario-files.ts';
import { readTrace } from '../../workloads/trace/reader.ts';

/** The master takes 100 kB; a worker waits 2 ms and 3 ms for its two requests. The second one frees what was the master's, and fills new blocks. */
const WORKER = `%htrace 2
m 0 1 100000
m 0 9 100
+ 1000000
fork 0
eb 0
+ 2000000
em 0 2 3000
m 0 3 500
+ 100000
ee 0
eb 0
+ 3000000
f 0 9
m 0 4 50000
ee 0
+ 4000000
exit 0
`;
const SCENARIO = `duration: 9ms
samples: 10
machine: { memory: 512M }
pools:
  - { name: www, allocator: "zendmm@8.2+glibc@2.36", recorded: pool.json, pm: { max_children: 2 }, shared: [{ name: cache, size: 64K, used: 4K, grows: 8K }] }
`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'allocsim-test-'));
  const process = (pid: number, ppid: number) => ({ pid, ppid, command: 'php-fpm', trace: `pool.${pid}.htrace` });
  for (const pid of [10, 11, 12]) writeFileSync(join(folder, `pool.${pid}.htrace`), WORKER);
  writeFileSync(
    join(folder, 'pool.json'),
    JSON.stringify({ processes: [process(10, 1), process(11, 10), process(12, 10)] }),
  );
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a recorded pool', () => {
  it('is cut where its workers wait', async () => {
    const parts = recordedParts(await readTrace(join(folder, 'pool.11.htrace')), 'pool.11.htrace');
    expect(parts.bornUs).toBe(1000);
    expect(parts.endUs).toBe(10_100);
    expect(parts.requests.map(({ startUs, endUs }) => [startUs, endUs])).toEqual([
      [3000, 3100],
      [6100, 6100],
    ]);
  });

  it('has its master’s pages until they are written', async () => {
    const { samples, pools } = await runFleet(parseScenario(SCENARIO, join(folder, 'pool.yaml')), { workers: 1 });
    const at = (ms: number) => samples[ms]!.processes.find(({ name }) => name === 'www-1')!;
    expect(samples[0]!.processes.map(({ name }) => name)).toEqual(['www']);
    const rested = at(2);
    const first = at(4);
    const second = at(8);
    // The 100 kB are in three processes: a third of them is each one's.
    expect(rested.anonBytes - rested.pssAnonBytes).toBeGreaterThan(60_000);
    expect(first.privateAnonBytes).toBeGreaterThan(rested.privateAnonBytes);
    expect(second.privateAnonBytes - first.privateAnonBytes).toBeGreaterThanOrEqual(49_152);
    const heap = pools[0]!.timelines[0]!.residentPages;
    expect(second.anonBytes - first.anonBytes).toBe((heap[1]! - heap[0]!) * 4096);
    // Two workers have begun two requests each, which add 8 KiB.
    expect(samples[9]!.meminfo['Shmem']! - samples[0]!.meminfo['Shmem']!).toBe(4 * 8192);
  });

  it('has copies of what its program writes without a call of the allocator, from the first request on', async () => {
    const text = SCENARIO.replace('shared:', 'worker: { writes: 20K }, shared:');
    const [plain, writes] = await Promise.all(
      [SCENARIO, text].map((one) => runFleet(parseScenario(one, join(folder, 'pool.yaml')), { workers: 1 })),
    );
    const more = (ms: number) =>
      [plain!, writes!]
        .map(({ samples }) => samples[ms]!.processes.find(({ name }) => name === 'www-1')!)
        .reduce((x, y) => ({
          ...y,
          anonBytes: y.anonBytes - x.anonBytes,
          privateAnonBytes: y.privateAnonBytes - x.privateAnonBytes,
        }));
    expect(more(2)).toMatchObject({ anonBytes: 0, privateAnonBytes: 0 });
    expect(more(4)).toMatchObject({ anonBytes: 0, privateAnonBytes: 20480 });
    expect(more(8)).toMatchObject({ anonBytes: 0, privateAnonBytes: 20480 });
  });

  it('has what its first request of a script writes, as the access log says which that was', async () => {
    writeFileSync(
      join(folder, 'access.log'),
      '11 /srv/page.php\n12 /srv/cron.php\n11 /srv/picture.php\n12 /srv/page.php\n',
    );
    const first = '[{ request: page.php, writes: 8K }, { request: picture.php, anonymous: 12K, writes: 104K }]';
    const text = SCENARIO.replace('shared:', `served: access.log, preload: { size: 16K }, first: ${first}, shared:`);
    const plain = SCENARIO.replace('shared:', 'preload: { size: 16K }, shared:');
    const [without, both] = await Promise.all(
      [plain, text].map((one) => runFleet(parseScenario(one, join(folder, 'pool.yaml')), { workers: 1 })),
    );
    const more = (ms: number, worker: string, what: 'anonBytes' | 'privateAnonBytes') =>
      [without!, both!]
        .map(({ samples }) => samples[ms]!.processes.find(({ name }) => name === worker)![what])
        .reduce((x, y) => y - x);
    expect([2, 4, 8].map((ms) => more(ms, 'www-1', 'anonBytes'))).toEqual([0, 0, 12288]);
    expect([2, 4].map((ms) => more(ms, 'www-1', 'privateAnonBytes'))).toEqual([0, 8192]);
    // Nearly all that the heap still shared by then, and some of what was preloaded: less than was said, as there is no more.
    expect(more(8, 'www-1', 'privateAnonBytes')).toBeGreaterThan(12288 + 40960);
    expect([2, 4, 8].map((ms) => more(ms, 'www-2', 'anonBytes'))).toEqual([0, 0, 0]);
    expect([2, 4, 8].map((ms) => more(ms, 'www-2', 'privateAnonBytes'))).toEqual([0, 0, 8192]);
  });

  it('needs an access log that says who served what', async () => {
    writeFileSync(join(folder, 'combined.log'), '127.0.0.1 - - [29/Nov/2026:04:00:00 +0000] "GET / HTTP/1.1" 200 1\n');
    const text = SCENARIO.replace('shared:', 'served: combined.log, shared:');
    await expect(runFleet(parseScenario(text, join(folder, 'pool.yaml')), { workers: 1 })).rejects.toThrow(
      /served: .*combined\.log:1: found '127.*', expected a process and a script \(access\.format = "%p %f"\)/,
    );
  });

  it('goes anywhere with its files', async () => {
    const scenario = parseScenario(SCENARIO, join(folder, 'pool.yaml'));
    const { traces, texts } = await filesOfScenario(scenario, FILE_SOURCES.events);
    expect(Object.keys(texts)).toEqual([join(folder, 'pool.json')]);
    expect(Object.keys(traces)).toEqual([11, 12].map((pid) => join(folder, `pool.${pid}.htrace`)));
    const sources: FleetSources = {
      events: (given) => Promise.resolve(traces[given]!),
      text: (path) => texts[path]!,
    };
    const [there, here] = [await runFleet(scenario, { workers: 1, sources }), await runFleet(scenario, { workers: 1 })];
    expect(there.samples).toEqual(here.samples);
  });

  it.each([
    ['no-such.json', /no-such\.json: found no such file, expected the list that sim record --json wrote/],
    ['pool.11.htrace', /pool\.11\.htrace: found something else, expected the list/],
  ])('%s is no list', async (list, message) => {
    const text = SCENARIO.replace('pool.json', list);
    await expect(runFleet(parseScenario(text, join(folder, 'pool.yaml')), { workers: 1 })).rejects.toThrow(message);
  });

  it('needs places for its workers', async () => {
    const text = SCENARIO.replace('max_children: 2', 'max_children: 1');
    await expect(runFleet(parseScenario(text, join(folder, 'pool.yaml')), { workers: 1 })).rejects.toThrow(
      /found 2 workers, expected at most max_children of www \(1\)/,
    );
  });
});

describe('memory that is not promised', () => {
  it('is a result: a fork that vm.overcommit_memory=2 refuses', async () => {
    const text = `duration: 1h
samples: 3
machine: { memory: 1G, overcommit: 2 }
services:
  - { name: cache, anonymous: 300M, snapshot: { every: 20m, takes: 1m, writes: 1M } }
`;
    const { events, samples } = await runFleet(parseScenario(text, 'x.yaml'), { workers: 1 });
    expect(events.map(({ kind, who }) => [kind, who])).toContainEqual(['no-memory', 'cache']);
    expect(samples.at(-1)!.processes.map(({ name }) => name)).toContain('cache');
  });
});
