import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { AREAS } from './areas.ts';
import { type FuzzTask, MEMORY_MAX_BYTES, type Report } from './task.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const PROGRESS_MS = 100;
/** Garbage of many inputs is collected here, so that what comes above the limit is one input's. */
const COLLECT_BYTES = 256 * 2 ** 20;
/** What a process has after a collection it may keep: the next is due when there is so much more. */
const COLLECT_STEP_BYTES = 64 * 2 ** 20;
const SWEEP_MS = 500;
const SHRINK_MS = 60_000;
/** Of a batch, in the mean, on a busy machine. */
const INPUT_MS = 1000;

const { area: name, inputs, seed, from, show } = JSON.parse(process.argv[2]!) as FuzzTask;
const { area } = AREAS.find((a) => a.area.name === name)!;
const tell = (report: Report) => process.send!(report);
let highestBytes = 0;
let done = 0;
let toldAt = 0;
let collectAt = COLLECT_BYTES;

/** What the process has at most while it checks the input. */
async function measured(input: unknown): Promise<number> {
  writeFileSync('/proc/self/clear_refs', '5');
  await area.check(input);
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(peak![1]) * 1024;
}

/** The same without what earlier inputs have left: the engine frees their memory on a thread of its own, in its time. */
async function peakOf(input: unknown, allowanceMs: number): Promise<number> {
  const peak = await measured(input);
  if (peak <= MEMORY_MAX_BYTES) return peak;
  collectGarbage();
  await setTimeout(SWEEP_MS);
  tellProgress(allowanceMs);
  return measured(input);
}

function tellProgress(allowanceMs: number): void {
  tell({ kind: 'progress', done, allowanceMs });
  toldAt = performance.now();
}

async function checked(input: unknown): Promise<void> {
  if (show !== undefined) {
    if (done++ === show) tell({ kind: 'input', file: Buffer.from(area.bytesOf(input)).toString('base64') });
    return;
  }
  const allowanceMs = (await area.allowanceMs?.(input)) ?? 0;
  if (allowanceMs > 0 || performance.now() - toldAt > PROGRESS_MS) tellProgress(allowanceMs);
  const peak = await peakOf(input, allowanceMs);
  done++;
  if (allowanceMs > 0) tellProgress(0);
  highestBytes = Math.max(highestBytes, peak);
  if (peak > MEMORY_MAX_BYTES) throw new Error(`memory: ${Math.round(peak / 2 ** 20)} MiB`);
  if (process.memoryUsage.rss() <= collectAt) return;
  collectGarbage();
  collectAt = Math.max(COLLECT_BYTES, process.memoryUsage.rss() + COLLECT_STEP_BYTES);
}

tellProgress(0);
const outcome = await fc.check(fc.asyncProperty(area.inputs, checked), {
  seed,
  numRuns: inputs,
  examples: (area.every ?? []).slice(from, from + inputs).map((input): [unknown] => [input]),
  interruptAfterTimeLimit: SHRINK_MS + inputs * INPUT_MS,
});
const [shrunk] = outcome.counterexample ?? [];
if (outcome.failed && shrunk !== undefined) {
  tell({
    kind: 'failed',
    done: outcome.numRuns,
    path: outcome.counterexamplePath ?? '',
    error: String((outcome.errorInstance as Error | undefined)?.stack ?? outcome.errorInstance),
    file: Buffer.from(area.bytesOf(shrunk)).toString('base64'),
  });
} else tell({ kind: 'passed', done: outcome.numRuns, peakBytes: highestBytes });
process.disconnect();
