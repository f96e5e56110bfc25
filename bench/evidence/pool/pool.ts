import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { residentRuns } from '../../../fleet/engine/layout.ts';
import { MachineDriver } from '../../../fleet/machine/machine-driver.ts';
import type { FleetSample } from '../../../fleet/machine/sample.ts';
import { type FleetRun, runFleet } from '../../../fleet/run-fleet.ts';
import { parseScenario, type Scenario } from '../../../fleet/scenario/scenario.ts';
import { meminfo } from '../../../machine/kernel/meminfo.ts';
import { OP_CLOCK, OP_MASK, OP_SAMPLE } from '../../../sim/contract/event.ts';
import { readTrace } from '../../../workloads/trace/reader.ts';
import type { PoolMemory } from './pool-memory.ts';
import { poolScenario, sharedHeapBytes } from './pool-scenario.ts';
import { runRealPool } from './real-pool.ts';

/*
 * npm run pool [-- --workers 10 --counts 40,100,200,300 --keep DIR] > docs/results/pool-DATE.md
 *
 * `--again` compares what `--keep DIR` has kept, without a new recording.
 *
 * A real pool of Debian's php-fpm with APCu and php-imagick under load, recorded, replayed as a fleet's scenario, and both compared at the same
 * numbers of requests. Needs root (numbers of pages), php8.2-fpm, php-apcu, php-imagick.
 */

const SAMPLES = 600;
/** Of the last mark that is still simulated. */
const AFTER_US = 3e5;
const TOLERANCE = 0.03;
/** Differences of a few pages are none. */
const LEAST_BYTES = 64 * 1024;

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '10' },
    counts: { type: 'string', default: '40,100,200,300' },
    parallel: { type: 'string', default: '3' },
    keep: { type: 'string' },
    again: { type: 'boolean', default: false },
  },
});

const mb = (bytes: number) => (bytes / 1e6).toFixed(2);
const off = (simulated: number, real: number) =>
  real === 0 && simulated === 0 ? '=' : `${((simulated / real - 1) * 100).toFixed(1)} %`;

/**
 * When the marks were set. A mark has the time of what its process did last before it: of all processes the latest is nearest. None of them
 * did anything for a while then.
 */
async function markTimes(paths: readonly string[]): Promise<number[]> {
  const latest: number[] = [];
  for (const path of paths) {
    const { head, a, b, labels, length } = await readTrace(path);
    let ns = 0;
    for (let row = 0; row < length; row++) {
      const op = head[row]! & OP_MASK;
      if (op === OP_CLOCK) ns += b[row]! * 2 ** 32 + a[row]!;
      const mark = op === OP_SAMPLE ? /^mark(\d+)$/.exec(labels[a[row]!]!) : null;
      if (mark) latest[Number(mark[1]) - 1] = Math.max(latest[Number(mark[1]) - 1] ?? 0, ns / 1e3);
    }
  }
  return latest;
}

interface Row {
  readonly what: string;
  readonly real: number;
  readonly simulated: number;
  /** Of both: what is taken from the recording's mapping table. */
  readonly table: number;
}

function rowsAt(memory: PoolMemory, sample: FleetSample, base: Readonly<Record<string, number>>): Row[] {
  const workers = memory.workers.flatMap((worker, i): Row[] => {
    const own = sample.processes.find(({ name }) => name === `www-${i + 1}`);
    if (!own) throw new Error(`www-${i + 1} is not there at ${memory.requests} requests`);
    const { rss, pss, tableRss, tablePss } = worker;
    return [
      { what: `worker ${i + 1} RSS`, real: rss, simulated: own.anonBytes + tableRss, table: tableRss },
      { what: `worker ${i + 1} PSS`, real: pss, simulated: own.pssAnonBytes + tablePss, table: tablePss },
    ];
  });
  const machine = (name: string) => sample.meminfo[name]! - base[name]! * 1024;
  return [
    ...workers,
    { what: 'AnonPages', real: memory.anonPages, simulated: machine('AnonPages'), table: 0 },
    { what: 'Active(anon)', real: memory.activeAnon, simulated: machine('Active(anon)'), table: 0 },
    { what: 'Shmem', real: memory.shmem, simulated: machine('Shmem'), table: 0 },
  ];
}

function report(scenario: Scenario, tables: readonly { requests: number; rows: readonly Row[] }[]): string {
  const lines = [
    '# A real pool beside its replay',
    '',
    `Linux ${release()}, Debian's php-fpm 8.2 with APCu and php-imagick, ${scenario.pools[0]!.pm.max_children} workers, recorded by \`sim record\` and replayed by`,
    '`sim machine` as a scenario with `recorded`. This table is the output of `npm run pool`. Real: /proc/PID/smaps without the recorder’s own mappings;',
    'Shmem and Active(anon) are the pool’s part, page by page by /proc/kpageflags, since other processes run on the machine. Simulated: heaps by replay;',
    `stacks, libraries’ data and shared regions as the mapping tables say at ${tables[0]!.requests} requests (\`preload\`, \`worker\`, \`shared\` of the scenario), and what workers write in the master's heap without a call of the allocator (\`worker.writes\`). Which pages of`,
    'files and shared regions a worker has looked at no heap says: that part of RSS and PSS is the mapping table’s of the same moment, in both columns. MB.',
    '',
    '| requests | what | real | simulated | off | of both by the mapping table |',
    '| ---: | --- | ---: | ---: | ---: | ---: |',
  ];
  const line = (requests: number, { what, real, simulated, table }: Row) =>
    `| ${requests} | ${what} | ${mb(real)} | ${mb(simulated)} | ${off(simulated, real)} | ${table > 0 ? mb(table) : ''} |`;
  for (const { requests, rows } of tables) {
    for (const kind of ['RSS', 'PSS']) {
      const own = rows.filter(({ what }) => what.endsWith(kind));
      const sum = (of: (row: Row) => number) => own.reduce((total, row) => total + of(row), 0);
      const what = `all workers ${kind}`;
      lines.push(
        line(requests, {
          what,
          real: sum(({ real }) => real),
          simulated: sum(({ simulated }) => simulated),
          table: sum(({ table }) => table),
        }),
      );
    }
    for (const row of rows) lines.push(line(requests, row));
  }
  const all = tables.flatMap(({ rows }) => rows);
  const isWithin = ({ real, simulated }: Row) => Math.abs(simulated - real) <= Math.max(TOLERANCE * real, LEAST_BYTES);
  const furthest = all.reduce((x, y) => (distance(y) > distance(x) ? y : x));
  lines.push(
    '',
    `Within ${TOLERANCE * 100} % (or ${LEAST_BYTES / 1024} KiB): ${all.filter(isWithin).length} of ${all.length}; the furthest is ${furthest.what}, ${off(furthest.simulated, furthest.real)}.`,
    '',
  );
  return lines.join('\n');
}

const distance = ({ real, simulated }: Row) =>
  Math.abs(simulated - real) < LEAST_BYTES ? 0 : Math.abs(simulated / real - 1);

/** What a worker had written in the master's heap without a call of the allocator, by a mark, on average: what the replay shares and the table does not. */
function writtenAt({ workers }: PoolMemory, run: FleetRun, markUs: number): number {
  const sample = run.samples.findIndex(({ atUs }) => atUs > markUs);
  const bytes = workers.map((worker, slot) => {
    const shared = residentRuns(run.pools[0]!.layoutAt(slot, sample)!).filter(({ isShared }) => isShared);
    const pages = shared.reduce((sum, { start, end }) => sum + end - start, 0);
    return pages * 4096 - sharedHeapBytes(worker);
  });
  return Math.max(0, bytes.reduce((sum, own) => sum + own, 0) / bytes.length);
}

async function main(): Promise<void> {
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'allocsim-pool-'));
  try {
    const counts = values.counts.split(',').map(Number);
    const kept = join(folder, 'memory.json');
    const memory = values.again
      ? (JSON.parse(readFileSync(kept, 'utf8')) as PoolMemory[])
      : await runRealPool({ folder, workers: Number(values.workers), counts, parallel: Number(values.parallel) });
    writeFileSync(kept, JSON.stringify(memory));
    const { processes } = JSON.parse(readFileSync(join(folder, 'pool.json'), 'utf8')) as {
      processes: { pid: number; trace: string }[];
    };
    const pids = processes.slice(1).map(({ pid }) => pid);
    const ordered = memory.map((own) => ({
      ...own,
      workers: pids.map((pid) => own.workers.find((worker) => worker.pid === pid)!),
    }));
    const marks = await markTimes(processes.slice(1).map(({ trace }) => join(folder, trace)));
    const path = join(folder, 'pool.yaml');
    const replay = async (writtenBytes: number) => {
      const text = poolScenario(ordered, marks.at(-1)! + AFTER_US, SAMPLES, writtenBytes);
      writeFileSync(path, text);
      const scenario = parseScenario(text, path);
      return { scenario, run: await runFleet(scenario) };
    };
    const writtenBytes = writtenAt(ordered[0]!, (await replay(0)).run, marks[0]!);
    const { scenario, run } = await replay(writtenBytes);
    const base = meminfo(new MachineDriver(scenario).run.k) as Readonly<Record<string, number>>;
    const tables = ordered.map((own, i) => {
      const sample = run.samples.find(({ atUs }) => atUs > marks[i]!)!;
      return { requests: own.requests, rows: rowsAt(own, sample, base) };
    });
    process.stdout.write(report(scenario, tables));
  } finally {
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

await main();
