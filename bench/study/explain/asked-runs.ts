import type { Sample } from '../../../sim/metrics/sample.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Runner } from '../parallel/run-all.ts';
import type { Finding, OtherRuns } from './mechanisms/mechanism.ts';
import { tasksOfOthers, withOthers } from './mechanisms/other-runs.ts';
import type { Observed } from './observed.ts';
import { heard } from './settings/timed.ts';

/** What findings ask for beside the settings (OtherRuns); nothing else waits for what it tells. */
export function createAskedRuns(runner: Runner, options: RunOptions, observed: Observed) {
  const { facts, findings } = observed;
  const told = [...findings];
  let telling: Promise<unknown> | undefined;

  /** One after the other: each has columns of its own. */
  async function tell(finding: Finding, others: OtherRuns, place: number): Promise<void> {
    const ends: Sample[] = [];
    for (const task of tasksOfOthers(options, facts.event, others)) {
      const [run] = await runner.run([task]);
      ends.push(run!.result.samples.at(-1)!);
    }
    told[place] = withOthers(finding, facts, ends);
  }

  const soFar = (): Observed => ({ ...observed, findings: told });
  return {
    begin(): void {
      telling ??= heard(Promise.all(findings.map((finding, i) => finding.others && tell(finding, finding.others, i))));
    },
    soFar,
    async told(): Promise<Observed> {
      await telling;
      return soFar();
    },
  };
}
