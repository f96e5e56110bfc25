import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AREAS } from './areas.ts';
import { type FuzzTask, HANG_MS, type Report } from './task.ts';

/**
 * npm run fuzz [-- --inputs N --seed S --only AREA --workers W --out FOLDER]
 *
 * Mutated inputs and random programs, in batches, each in a process of its own that is ended where one input takes more
 * processor time than HANG_MS and its allowance, or waits for longer than WAIT_MS. AREA may be several, with commas. What fails is shrunk,
 * written to FOLDER, and told with the seed that gives it again. Exit 1 if any; 130 with the figures so far at a signal.
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
const LOOK_MS = 100;
/** To load everything. */
const START_MS = 5000;
const WAIT_MS = 120_000;
/** Of /proc/PID/stat: USER_HZ. */
const TICK_MS = 10;

interface Outcome {
  readonly done: number;
  readonly fault?: { readonly what: string; readonly file: Uint8Array };
}

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
        order: (i + 1) / count,
      }));
    })
    .sort((a, b) => a.order - b.order); // a run that is ended early has had of every area
}

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
let peakBytes = 0;
const running = new Set<ChildProcess>();

/** Processor time that a process has had, user and system. */
function processorMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0; // it has ended
  }
}

/** Runs a batch in a process of its own: what it holds is measured, and it can be ended at any moment. */
function runBatch(task: FuzzTask): Promise<Outcome> {
  const child = fork(WORKER, [JSON.stringify(task)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // glibc would raise the threshold by itself, and keep what ended inputs had between small blocks in its heap.
    env: { ...process.env, MALLOC_MMAP_THRESHOLD_: '131072' },
  });
  running.add(child);
  return new Promise((resolve) => {
    let done = 0;
    let heardAt = performance.now();
    let heardAtMs = START_MS; // of its processor time
    let allowanceMs = 0;
    let isOver = false;
    let fault: Outcome['fault'];
    const watch = setInterval(() => {
      const isHanging =
        processorMs(child.pid!) - heardAtMs > HANG_MS + allowanceMs || performance.now() - heardAt > WAIT_MS;
      if (isHanging && !isOver) child.kill('SIGKILL');
    }, LOOK_MS);
    child.on('message', (report: Report) => {
      heardAt = performance.now();
      heardAtMs = Math.max(heardAtMs, processorMs(child.pid!));
      allowanceMs = report.kind === 'progress' ? report.allowanceMs : 0;
      isOver = report.kind === 'passed' || report.kind === 'failed';
      if (report.kind === 'passed') {
        peakBytes = Math.max(peakBytes, report.peakBytes);
      } else if (report.kind === 'failed') {
        fault = { what: `path ${report.path}\n${report.error}`, file: Buffer.from(report.file, 'base64') };
      } else if (report.kind === 'input') fault = { what: 'input', file: Buffer.from(report.file, 'base64') };
      if ('done' in report) done = report.done;
    });
    child.on('exit', async (code, signal) => {
      clearInterval(watch);
      running.delete(child);
      if (code === 0 || fault) return resolve({ done, ...(fault && { fault }) });
      const what =
        signal === 'SIGKILL'
          ? `hang\nan input from ${done} on takes more than ${HANG_MS + allowanceMs} ms`
          : `death\nof the process: ${signal ?? code}`;
      const shown = await runBatch({ ...task, show: done });
      resolve({ done, fault: { what, file: shown.fault?.file ?? Buffer.alloc(0) } });
    });
  });
}

const queue = batches();
const started = performance.now();
const done = new Map<string, number>();
const faults = new Map<string, number>();

async function work(): Promise<void> {
  for (let batch = queue.shift(); batch; batch = queue.shift()) {
    const outcome = await runBatch(batch);
    done.set(batch.area, (done.get(batch.area) ?? 0) + outcome.done);
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
  const peak = `peak of a process ${Math.round(peakBytes / 2 ** 20)} MiB`;
  return `${areas.join('')}${total} inputs in ${seconds.toFixed(0)} s, ${peak}: ${faults.size} kinds of faults\n${kinds.join('')}`;
}

process.stdout.write(`seed ${values.seed}, ${values.inputs} inputs\n`);
// An input may keep a process from hearing anything else.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.stdout.write(`ended early, whole batches:\n${summary()}`);
    process.exit(130);
  });
}
await Promise.all(Array.from({ length: Number(values.workers) }, work));
process.stdout.write(summary());
if (faults.size > 0) process.exitCode = 1;
