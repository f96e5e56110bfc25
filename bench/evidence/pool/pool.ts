import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MachineDriver } from '../../../fleet/machine/machine-driver.ts';
import type { FleetSample } from '../../../fleet/machine/sample.ts';
import type { Scenario } from '../../../fleet/scenario/scenario.ts';
import { meminfo } from '../../../machine/kernel/meminfo.ts';
import type { PoolMemory } from './pool-memory.ts';
import { type Measured, measure, replay } from './pool-replay.ts';

/*
 * npm run pool [-- --workers 10 --counts 40,100,200,300 --keep DIR] > docs/results/pool-DATE.md
 *
 * `--again` compares what `--keep DIR` has kept, without a new recording.
 *
 * A real pool of Debian's php-fpm with APCu and php-imagick under load, recorded, replayed as a fleet's scenario, and both compared at the same
 * numbers of requests. Needs root (numbers of pages), php8.2-fpm, php-apcu, php-imagick.
 */

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
  Math.max(simulated, real) < LEAST_BYTES ? '—' : `${((simulated / real - 1) * 100).toFixed(1)} %`;

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
    { what: 'Inactive(anon)', real: memory.inactiveAnon, simulated: machine('Inactive(anon)'), table: 0 },
    { what: 'Shmem', real: memory.shmem, simulated: machine('Shmem'), table: 0 },
  ];
}

function report(scenario: Scenario, tables: readonly { requests: number; rows: readonly Row[] }[]): string {
  const lines = [
    '# A real pool beside its replay',
    '',
    `Linux ${release()}, Debian's php-fpm 8.2 with APCu and php-imagick, ${scenario.pools[0]!.pm.max_children} workers, recorded by \`sim record\` and replayed by`,
    '`sim machine` as a scenario with `recorded`. This table is the output of `npm run pool`. Real: /proc/PID/smaps without the recorder’s own mappings;',
    'Shmem, Active(anon) and Inactive(anon) are the pool’s part, page by page by /proc/kpageflags, since other processes run on the machine. New pages of anonymous',
    'and shared memory begin on the inactive list (Linux 5.9 and later), and without swap none leaves it: both say so; — where both are below 64 KiB. Simulated: heaps by replay;',
    'libraries’ data and stacks as a worker has them that has served nobody (`preload`, `worker` of the scenario), and what its first request of each script writes beside',
    `calls of the allocator, measured on a pool of one worker that serves nothing else (\`first\`); shared regions as the mapping tables say at ${tables[0]!.requests} requests. Which pages of`,
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

async function main(): Promise<void> {
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'allocsim-pool-'));
  try {
    const counts = values.counts.split(',').map(Number);
    const kept = join(folder, 'memory.json');
    const measured = values.again
      ? (JSON.parse(readFileSync(kept, 'utf8')) as Measured)
      : await measure({ folder, workers: Number(values.workers), counts, parallel: Number(values.parallel) });
    writeFileSync(kept, JSON.stringify(measured));
    const { scenario, run, memory, marksUs } = await replay(folder, measured);
    const base = meminfo(new MachineDriver(scenario).run.k) as Readonly<Record<string, number>>;
    const tables = memory.map((own, i) => {
      const sample = run.samples.find(({ atUs }) => atUs > marksUs[i]!)!;
      return { requests: own.requests, rows: rowsAt(own, sample, base) };
    });
    process.stdout.write(report(scenario, tables));
  } finally {
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

await main();
