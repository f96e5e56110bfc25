import { availableParallelism } from 'node:os';
import { median } from '../../evidence/median.ts';
import { type EngineRun, runCommand, runWithEngine } from './fresh-process.ts';
import type { CommandRow } from './rows.ts';
import { times, type WholeOptions } from './whole-options.ts';

const ALLOCATORS = ['glibc', 'jemalloc', 'zendmm@8.2+glibc'];

/** `sim compare` beside the slowest of its runs alone, and beside what arithmetic leaves of it. */
export async function measureCompare(options: WholeOptions, path: string): Promise<void> {
  const { rounds, signal, onStep, onRow } = options;
  onStep('sim compare');
  const alone: EngineRun[][] = [];
  for (const allocator of ALLOCATORS) {
    const run = ['run', path, '-a', allocator, '--mode', 'lockstep'];
    alone.push(await times(rounds, () => runWithEngine(run, signal)));
  }
  const slowest = Math.max(...alone.map((runs) => median(runs.map((run) => run.seconds))));
  const compare = ['compare', path, '--allocators', ALLOCATORS.join(','), '--mode', 'lockstep'];
  const compared = await times(rounds, async () => (await runCommand(compare, signal)).seconds);
  const rowOf = (name: string, found: readonly number[], goal?: number): CommandRow => ({
    group: 'whole commands',
    name,
    found: found.map((seconds) => seconds / slowest),
    unit: 'times',
    goal,
    below: true,
    about: `${found.map((seconds) => seconds.toFixed(2)).join(' ')} : ${slowest.toFixed(2)} s`,
  });
  onRow(rowOf('sim compare of three allocators : sim run of the slowest', compared, 1.3));
  const processors = Math.min(availableParallelism(), ALLOCATORS.length);
  const perRound = Array.from({ length: rounds }, (_, round) => alone.map((runs) => runs[round]!));
  const least = perRound.map((runs) => leastSeconds(runs, processors));
  onRow(rowOf(`: at least, three loops and one load on ${processors} processors`, least));
  const started = perRound.map((runs, round) => least[round]! + leastStart(runs));
  onRow(rowOf(': the same and the start of one process', started));
}

interface Loop {
  readonly engine: Pick<EngineRun['engine'], 'replayNs' | 'loadNs'>;
}

/** The trace is read once, nothing ever waits, and a loop is on one processor: no batch of these runs ends sooner. */
export function leastSeconds(runs: readonly Loop[], processors: number): number {
  const loops = runs.map(({ engine }) => engine.replayNs);
  const load = Math.min(...runs.map(({ engine }) => engine.loadNs));
  const all = loops.reduce((sum, loop) => sum + loop, load);
  return Math.max(all / processors, ...loops) / 1e9;
}

/** Node, modules, what is printed: what every process does before its loop and behind it, on one processor. */
function leastStart(runs: readonly EngineRun[]): number {
  return Math.min(...runs.map(({ seconds, engine }) => seconds - (engine.replayNs + engine.loadNs) / 1e9));
}
