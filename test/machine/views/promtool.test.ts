import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Historian } from '../../../machine/index.ts';
import { MACHINE_SCENARIOS } from '../../../machine/scenarios/index.ts';
import { runMachineScript } from '../../../machine/script/run.ts';
import { openMetricsText } from '../../../machine/views/metrics/exposition.ts';
import { timelineFamilies } from '../../../machine/views/timeline.ts';
import { renderView } from '../../../machine/views/view.ts';

const missing = spawnSync('promtool', ['--version']).status !== 0;
if (missing) console.warn('skipped: what Prometheus says of the metrics (needs promtool)');

/** Names that the real exporters have too, and that Prometheus would have chosen otherwise. */
const THE_EXPORTERS_OWN = /should be written in 'snake_case'|counter metrics should have "_total" suffix/;

describe.skipIf(missing)('what Prometheus says of', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'promtool-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(['node-exporter', 'cadvisor'])('%s: it reads it all', (view) => {
    const text = renderView(runMachineScript(MACHINE_SCENARIOS['container']!.text), view);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    // 3: read, with remarks; 1: not read.
    expect([0, 3]).toContain(status);
    const remarks = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
    expect(remarks.filter((line) => !THE_EXPORTERS_OWN.test(line))).toEqual([]);
  });

  test('points of neighbouring milliseconds: each is one of its own', () => {
    const points = Array.from({ length: 3000 }, (_, i) => ({ labels: {}, value: i, seconds: i / 1000 }));
    const text = openMetricsText([{ name: 'a', type: 'gauge', help: 'a', points }]);
    const kept = [...text.matchAll(/^a \S+ (\S+)$/gm)].map(([, at]) => Math.trunc(Number(at) * 1000));
    expect(kept).toEqual(points.map((_, i) => i));
    const file = join(folder, 'near.om');
    writeFileSync(file, text);
    const made = spawnSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, join(folder, 'near')]);
    expect(made.status).toBe(0);
  });

  test.each(['opcache-pool', 'container', 'go-1.12'])('%s over time: blocks are made of it', (name) => {
    const historian = new Historian();
    const run = runMachineScript(MACHINE_SCENARIOS[name]!.text, {
      onStart: (started) => historian.start(started),
      afterCommand: (running, command) => historian.afterCommand(running, command),
    });
    const file = join(folder, `${name}.om`);
    const families = timelineFamilies(historian.finish(run));
    writeFileSync(file, openMetricsText(families));
    const made = spawnSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, join(folder, name)], {
      encoding: 'utf8',
    });
    expect(made.stderr).toBe('');
    expect(made.status).toBe(0);
    expect(made.stdout.trim().split('\n').at(-1)).toMatch(/^[0-9A-Z]{26} +\d+ +\d+ /);
  });
});
