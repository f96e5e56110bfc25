import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { AREAS } from './areas.ts';
import { type FuzzTask, MEMORY_MAX_BYTES, type Report, type Slowest } from './task.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Garbage of many inputs is collected here, so that what comes above the limit is one input's. */
const COLLECT_BYTES = 256 * 2 ** 20;
/** What a process has after a collection it may keep: the next is due when there is so much more. */
const COLLECT_STEP_BYTES = 64 * 2 ** 20;
const SWEEP_MS = 500;
const SHRINK_MS = 60_000;
/** Of a batch, in the mean, on a busy machine. */
const INPUT_MS = 1000;
/** The first time alone is with code that is not compiled yet. */
const ALONE_TIMES = 3;

const task = JSON.parse(process.argv[2]!) as FuzzTask;
const { area } = AREAS.find((a) => a.area.name === task.area)!;
const tell = (report: Report) => process.send!(report);
let drawn = 0;
let highestBytes = 0;
let slowest: Slowest = { number: 0, processorMs: 0 };
let collectAt = COLLECT_BYTES;

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** What the process has at most while it checks the input. */
async function measured(input: unknown): Promise<number> {
  writeFileSync('/proc/self/clear_refs', '5');
  await area.check(input);
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(peak![1]) * 1024;
}

/** The same without what earlier inputs have left: the engine frees their memory on a thread of its own, in its time. */
async function peakOf(input: unknown, again: () => void): Promise<number> {
  const peak = await measured(input);
  if (peak <= MEMORY_MAX_BYTES) return peak;
  collectGarbage();
  await setTimeout(SWEEP_MS);
  again();
  return measured(input);
}

async function checked(input: unknown): Promise<void> {
  const number = drawn++;
  if (number < task.next) return;
  writeFileSync(task.current, area.bytesOf(input));
  tell({ kind: 'next', number, allowanceMs: 0 });
  const allowanceMs = (await area.allowanceMs?.(input)) ?? 0;
  const begins = () => tell({ kind: 'next', number, allowanceMs });
  begins();
  const beforeMs = processorMs();
  const peak = await peakOf(input, begins);
  const tookMs = processorMs() - beforeMs - allowanceMs;
  if (tookMs > slowest.processorMs) slowest = { number, processorMs: tookMs };
  highestBytes = Math.max(highestBytes, peak);
  if (peak > MEMORY_MAX_BYTES) throw new Error(`memory: ${Math.round(peak / 2 ** 20)} MiB`);
  if (process.memoryUsage.rss() <= collectAt) return;
  collectGarbage();
  collectAt = Math.max(COLLECT_BYTES, process.memoryUsage.rss() + COLLECT_STEP_BYTES);
}

async function told(input: unknown): Promise<void> {
  try {
    await checked(input);
  } catch (error) {
    tell({ kind: 'fails', error: String((error as Error).stack ?? error) });
    throw error;
  }
}

/** The input that is next, and no other. */
async function alone(input: unknown): Promise<void> {
  if (drawn++ !== task.next) return;
  writeFileSync(task.current, area.bytesOf(input));
  const allowanceMs = (await area.allowanceMs?.(input)) ?? 0;
  for (let i = 0; i < ALONE_TIMES; i++) {
    const beforeMs = processorMs();
    await area.check(input);
    tell({ kind: 'cost', processorMs: processorMs() - beforeMs, allowanceMs });
  }
}

const { inputs, seed, from, isAlone } = task;
const outcome = await fc.check(fc.asyncProperty(area.inputs, isAlone ? alone : told), {
  seed,
  numRuns: inputs,
  examples: (area.every ?? []).slice(from, from + inputs).map((input): [unknown] => [input]),
  interruptAfterTimeLimit: SHRINK_MS + inputs * INPUT_MS,
});
const [shrunk] = outcome.counterexample ?? [];
if (outcome.failed && shrunk !== undefined) {
  writeFileSync(task.current, area.bytesOf(shrunk));
  const error = String((outcome.errorInstance as Error | undefined)?.stack ?? outcome.errorInstance);
  tell({ kind: 'failed', path: outcome.counterexamplePath ?? '', error });
} else tell({ kind: 'passed', slowest, peakBytes: highestBytes });
process.disconnect();
