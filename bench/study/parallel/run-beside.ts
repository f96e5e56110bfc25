import { availableParallelism } from 'node:os';
import type { FleetOutcome } from '../../../fleet/index.ts';
import { Interrupted } from '../../../sim/contract/assert.ts';
import { type BatchOutcome, leavesRuns, orFinished } from './finished.ts';
import { type RunAllOptions, runAll, runKeeping } from './run-all.ts';
import type { FleetRunTask } from './task.ts';

/** What is left of the second in which Ctrl-C is answered goes to the words. */
const CUT_MS = 500;

type Outcomes = BatchOutcome<FleetOutcome>;

/**
 * Makes the runs of a fleet in this process. One of which everything is wanted is made by this thread, which hears the signal and tells how far
 * it came; the others beside it, in threads of their own, each with its share of the processors.
 *
 *   this thread   ├─ as it is ─┤
 *   threads       ├─ setting ──────┤├─ setting ─┤ …
 */
export async function runBeside(tasks: readonly FleetRunTask[], batch: RunAllOptions): Promise<Outcomes> {
  const { workers = availableParallelism() } = batch;
  const wholes = tasks.filter(({ fleet }) => fleet.asks.whole);
  const others = tasks.filter(({ fleet }) => !fleet.asks.whole);
  if (workers === 1 || others.length === 0 || wholes.length === 0) {
    const threads = Math.max(1, Math.floor(workers / tasks.length));
    return orFinished(
      runAll(
        tasks.map((task) => ({ ...task, threads })),
        wholes.length > 0 ? { ...batch, workers: 1 } : batch,
      ),
    );
  }
  // One that fails ends the others.
  const failed = new AbortController();
  const signal = batch.signal ? AbortSignal.any([batch.signal, failed.signal]) : failed.signal;
  const part = async (own: readonly FleetRunTask[], threads: number, width: number): Promise<Outcomes> => {
    const given = own.map((task) => ({ ...task, threads }));
    const finished = new Map<string, FleetOutcome>();
    const keep = (run: FleetOutcome) => {
      if (run.setting) finished.set(run.setting.name, run);
    };
    // Ctrl-C is answered with what there is: threads take their time to end.
    const cut = new Promise<'cut'>((resolve) => {
      signal.addEventListener('abort', () => setTimeout(() => resolve('cut'), CUT_MS), { once: true });
    });
    const work = runKeeping(given, given.length, keep, { ...batch, signal, workers: width });
    try {
      const isWhole = (await Promise.race([work, cut])) !== 'cut';
      return { runs: own.map(({ fleet }) => finished.get(fleet.name)), partial: !isWhole };
    } catch (error) {
      if (leavesRuns(error)) return { runs: own.map(({ fleet }) => finished.get(fleet.name)), partial: true };
      failed.abort();
      throw error;
    } finally {
      work.catch(() => {}); // told already, or of no interest any more
    }
  };
  const parts = await Promise.allSettled([
    part(wholes, workers, 1),
    part(others, Math.max(1, Math.floor(workers / others.length)), workers),
  ]);
  const bad = parts.find((one) => one.status === 'rejected');
  if (bad) throw bad.reason;
  const [first, second] = parts.map((one) => (one as PromiseFulfilledResult<Outcomes>).value) as [Outcomes, Outcomes];
  const next = { whole: 0, other: 0 };
  const runs = tasks.map(({ fleet }): FleetOutcome | undefined =>
    fleet.asks.whole ? first.runs[next.whole++] : second.runs[next.other++],
  );
  if (runs.every((run) => run === undefined)) throw new Interrupted('interrupted');
  return { runs, partial: first.partial || second.partial };
}
