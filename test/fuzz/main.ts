import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AREAS } from './areas.ts';
import { killAll, type Outcome, runBatch } from './batch.ts';
import type { FuzzTask } from './task.ts';
import { timeLimitMs } from './time-limit.ts';

/**
 * npm run fuzz [-- --inputs N --seed S --only AREA --workers W --out FOLDER]
 *
 * Mutated inputs and random programs, in batches, each in a process of its own that is ended where one input takes more
 * processor time than this machine's limit and its allowance, or waits for minutes; it counts if it is too slow alone as well. AREA
 * may be several, with commas. What fails is shrunk, written to FOLDER, and told with the seed and the number of the input that give it
 * again. Exit 1 if any; 130 with the figures so far at a signal.
 */
const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    workers: { type: 'string', default: `${availableParallelism()}` },
    out: { type: 'string', default: 'fuzz-failures' },
  },
});
const BATCH = 1000;

const scratch = mkdtempSync(join(tmpdir(), 'allocsim-fuzzed-'));

function batches(): FuzzTask[] {
  const total = Number(values.inputs);
  const seed = Number(values.seed);
  const only = values.only?.split(',');
  const areas = AREAS.filter(({ area }) => only === undefined || only.includes(area.name));
  if (!Number.isInteger(total) || !Number.isInteger(seed) || areas.length === 0) {
    throw new Error(`expected numbers, and an area of ${AREAS.map(({ area }) => area.name).join(', ')}`);
  }
  const shares = areas.reduce((sum, { share }) => sum + share, 0);
  return areas
    .flatMap(({ area, share }) => {
      const own = Math.min(Math.ceil((total * share) / shares), area.every?.length ?? Infinity);
      const count = Math.ceil(own / BATCH);
      return Array.from({ length: count }, (_, i) => ({
        area: area.name,
        inputs: Math.min(BATCH, own - i * BATCH),
        seed: seed * 1_000_003 + i,
        from: i * BATCH,
        current: join(scratch, `${area.name}-${i}`),
        next: 0,
        isAlone: false,
        order: (i + 1) / count,
      }));
    })
    .sort((a, b) => a.order - b.order); // a run that is ended early has had of every area
}

const queue = batches();
const started = performance.now();
let limitMs = 0; // not measured yet
let peakBytes = 0;
let slowest = { ms: 0, where: '' };
const done = new Map<string, number>();
const faults = new Map<string, number>();
const lookedAt: string[] = [];

function count(batch: FuzzTask, outcome: Outcome): void {
  done.set(batch.area, (done.get(batch.area) ?? 0) + outcome.done);
  peakBytes = Math.max(peakBytes, outcome.peakBytes);
  const nameOf = (number: number) => `${batch.area}, seed ${batch.seed}, input ${number}`;
  if (outcome.slowest.processorMs > slowest.ms) {
    slowest = { ms: outcome.slowest.processorMs, where: nameOf(outcome.slowest.number) };
  }
  for (const { number, aloneMs } of outcome.lookedAt) lookedAt.push(`${nameOf(number)}: ${aloneMs.toFixed(0)} ms`);
}

async function work(): Promise<void> {
  for (let batch = queue.shift(); batch; batch = queue.shift()) {
    const outcome = await runBatch(batch, limitMs);
    count(batch, outcome);
    if (!outcome.fault) continue;
    const lines = outcome.fault.what.split('\n').slice(1, 4).join(' | ') || outcome.fault.what;
    const kind = `${batch.area}: ${lines.replace(/\d+/g, 'N')}`;
    faults.set(kind, (faults.get(kind) ?? 0) + 1);
    if (faults.get(kind)! > 1) continue;
    mkdirSync(values.out, { recursive: true });
    const file = `${values.out}/${batch.area}-${batch.seed}-${faults.size}`;
    writeFileSync(file, outcome.fault.file);
    process.stdout.write(`\n${batch.area}, seed ${batch.seed}, ${file}\n${outcome.fault.what.slice(0, 1500)}\n`);
  }
}

function summary(): string {
  const seconds = (performance.now() - started) / 1000;
  const total = [...done.values()].reduce((sum, n) => sum + n, 0);
  const areas = [...done].map(([area, inputs]) => `${area.padEnd(10)} ${inputs} inputs\n`);
  const kinds = [...faults].map(([kind, times]) => `  ${times} × ${kind.slice(0, 200)}\n`);
  const again = lookedAt.map((line) => `  beyond the limit among others, but not alone: ${line}\n`);
  const peak = `peak of a process ${Math.round(peakBytes / 2 ** 20)} MiB`;
  const slow = `slowest input ${slowest.ms.toFixed(0)} ms of ${limitMs.toFixed(0)} (${slowest.where})`;
  return `${areas.join('')}${total} inputs in ${seconds.toFixed(0)} s, ${peak}, ${slow}: ${faults.size} kinds of faults\n${kinds.join('')}${again.join('')}`;
}

process.on('exit', () => {
  killAll();
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.stdout.write(`ended early, whole batches:\n${summary()}`);
    process.exit(130);
  });
}
limitMs = await timeLimitMs();
process.stdout.write(`seed ${values.seed}, ${values.inputs} inputs, ${limitMs.toFixed(0)} ms for one\n`);
await Promise.all(Array.from({ length: Number(values.workers) }, work));
process.stdout.write(summary());
if (faults.size > 0) process.exitCode = 1;
