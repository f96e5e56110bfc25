import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseAllocator } from '../../../allocators/spec.ts';
import type { Touch } from '../../../sim/contract/event.ts';
import { COST_PROFILES, type Costs } from '../../../sim/time/costs.ts';
import { parseCosts } from '../../../sim/time/price-list.ts';
import { resolveWorkload } from '../../../workloads/index.ts';
import { runVirtual } from '../../run/modes/virtual.ts';
import type { RunOptions } from '../../run/run-options.ts';
import { median } from '../median.ts';
import { PUBLISHED } from './published.ts';

/*
 * npm run times [-- --traces DIR] [--full] > docs/results/times-DATE.md
 *
 * Virtual times beside real ones: free-running replays on two processors (the JSON files here say where and when they were measured), and orders that
 * others have published for many. A report: nothing here is a goal that the simulation is tuned to. `--full` has the long runs too, and three seeds.
 */

/** Times of free-running replays on real allocators. */
interface RealTimes {
  readonly about: string;
  readonly cpus: number;
  readonly allocators: readonly string[];
  /** What `sim calibrate` measured there in the same hour; without it the default prices. */
  readonly prices?: object;
  readonly times: readonly {
    /** A shared trace (with a slash in it), or a built-in workload. */
    readonly workload: string;
    readonly touch: Touch;
    /** Medians. */
    readonly ms: readonly number[];
    readonly slow?: boolean;
  }[];
}

const SETS = ['free-running', 'free-running-calibrated', 'free-running-handed-over'];
/** Real times that differ by more than this are a clear pair. */
const CLEAR = 1.5;
const NEAR = 0.35;

async function timeMs(workload: string, options: Omit<RunOptions, 'events' | 'workload' | 'spec'>, allocator: string) {
  const { events, start } = await resolveWorkload(workload);
  const spec = parseAllocator(allocator, options.cpus);
  return (await runVirtual({ events, workload, start, ...options, spec })).summary.virtualNs / 1e6;
}

function readSet(name: string): RealTimes {
  // The JSON files are sources, and not copied beside the compiled program.
  const beside = new URL(`${name}.json`, import.meta.url);
  const source = new URL(`../../../../bench/evidence/times/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(existsSync(beside) ? beside : source, 'utf8')) as RealTimes;
}

async function compareSet(name: string, traces: string | undefined, isFull: boolean): Promise<void> {
  const real = readSet(name);
  const costs: Costs = real.prices ? parseCosts(JSON.stringify(real.prices), name) : COST_PROFILES['vm']!;
  const columns = real.allocators.map((allocator) => `${allocator} | real`).join(' | ');
  console.log(
    `\n## ${name}\n\n${real.about}\n\n| workload | touch | ${columns} |\n|${' --- |'.repeat(2 + 2 * real.allocators.length)}`,
  );
  let pairs = 0;
  let near = 0;
  let total = 0;
  const misses: string[] = [];
  for (const { workload, touch, ms, slow } of real.times) {
    const isTrace = workload.includes('/');
    if ((slow && !isFull) || (isTrace && traces === undefined)) continue;
    const found: number[] = [];
    for (const allocator of real.allocators) {
      const times: number[] = [];
      for (const seed of isFull ? [1, 2, 3] : [1]) {
        const path = isTrace ? `${traces}/${workload}.htrace.gz` : workload;
        // As the replay that was measured: all threads wait for a word.
        times.push(await timeMs(path, { cpus: real.cpus, touch, seed, costs, start: 'barrier' }, allocator));
      }
      found.push(median(times));
    }
    console.log(`| ${workload} | ${touch} | ${found.map((time, i) => `${time.toFixed(2)} | ${ms[i]}`).join(' | ')} |`);
    for (let i = 0; i < ms.length; i++) {
      total++;
      if (Math.abs(found[i]! / ms[i]! - 1) <= NEAR) near++;
      for (let j = 0; j < ms.length; j++) {
        if (ms[j]! < CLEAR * ms[i]!) continue;
        pairs++;
        if (found[j]! <= found[i]!)
          misses.push(`${workload}, ${touch}: ${real.allocators[j]} took longer than ${real.allocators[i]}`);
      }
    }
  }
  console.log(
    `\n${pairs - misses.length} of ${pairs} pairs that differ by a factor of ${CLEAR} come in the same order; ${near} of ${total} times are within 35 %.`,
  );
  if (misses.length > 0) console.log(`\nIn the other order:\n\n${misses.map((line) => `- ${line}`).join('\n')}`);
}

async function comparePublished(): Promise<void> {
  console.log('\n## What others have published, on many processors\n');
  console.log('| what | published | here | in it | source |\n| --- | --- | --- | --- | --- |');
  for (const { what, range, unit, source, measure } of PUBLISHED) {
    const found = await measure();
    console.log(
      `| ${what} | ${range[0]} to ${range[1]} ${unit} | ${found.toPrecision(3)} | ${range[0] <= found && found <= range[1] ? 'yes' : 'no'} | ${source} |`,
    );
  }
}

const { values } = parseArgs({ options: { traces: { type: 'string' }, full: { type: 'boolean', default: false } } });
console.log(`# Virtual times beside real ones, ${new Date().toISOString().slice(0, 10)}\n`);
console.log('Made by `npm run times`. What is simulated is in sim/time/FIDELITY.md.');
await comparePublished();
for (const name of SETS) await compareSet(name, values.traces, values.full);
