import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openMetrics } from '../../bench/report/openmetrics.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { bumpOptions } from '../helpers/bump-run.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) console.warn('skipped: what Prometheus says of samples (needs promtool)');

/** Samples of a run at these times, each with a level of its own. */
async function sampledAt(times: readonly number[]): Promise<string> {
  const result = await runLockstep(bumpOptions(['m 0 1 5000']));
  const last = result.samples.at(-1)!;
  const samples = times.map((virtualNs, i) => ({ ...last, virtualNs, rssBytes: 4096 * (i + 1) }));
  return openMetrics([{ ...result, samples }]);
}

const levels = (text: string) =>
  [...text.matchAll(/^allocsim_resident_bytes\{[^}]*\} (\d+)( \S+)?$/gm)].map(([, value, at]) => [
    Number(value) / 4096,
    at?.trim(),
  ]);

describe('samples in OpenMetrics', () => {
  /** 1.001 s is 1000 ms to whoever multiplies and cuts off. */
  const TIMES = [100, 900_000, 1_200_000, 1_000_200_000, 1_001_000_000, 1_001_500_000, 2e9, 2e9];

  test('of the points of one millisecond the last', async () => {
    expect(levels(await sampledAt(TIMES))).toEqual([
      [2, '0.000900000'],
      [3, '0.001200000'],
      [5, '1.001000000'],
      [6, '1.001500000'],
      [8, '2.000000000'],
    ]);
    expect(levels(await sampledAt([0, 0]))).toEqual([
      [1, undefined],
      [2, undefined],
    ]);
  });

  test.skipIf(!hasPromtool)('Prometheus makes blocks of it', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'samples.om');
    writeFileSync(file, await sampledAt([...TIMES, ...Array.from({ length: 3000 }, (_, i) => 2e9 + i * 333_333)]));
    const made = spawnSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, join(folder, 'data')], {
      encoding: 'utf8',
    });
    expect(made.stderr).toBe('');
    expect(made.status).toBe(0);
  });
});
