import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { runMachineScript } from '../../machine/script/run.ts';
import { compareLines } from './compare.ts';

/** Scripts and what a real kernel 6.1 answered. */
const FOLDER = fileURLToPath(new URL('../fixtures/machine/6.1', import.meta.url));
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -4));

const linesOf = (file: string) =>
  gunzipSync(readFileSync(file))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('there is a truth for each script', () => {
  const truths = readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl.gz'));
  expect(truths.map((name) => name.slice(0, -9)).sort()).toEqual([...names].sort());
  expect(names.length).toBeGreaterThanOrEqual(44);
});

test.each(names)('%s: every figure within its class', (name) => {
  const script = readFileSync(join(FOLDER, `${name}.txt`), 'utf8');
  const truth = linesOf(join(FOLDER, `${name}.jsonl.gz`));
  const run = runMachineScript(script, { name });
  const { compared, wrong } = compareLines(truth, run.lines);
  expect(wrong).toEqual([]);
  expect(compared.exact).toBeGreaterThan(50);
});

/** What a real 6.12 answered to some of the same scripts. */
const LATER = fileURLToPath(new URL('../fixtures/machine/6.12', import.meta.url));
/** Where it runs short, which generation is taken decides, and how long that takes: only the exact figures are held there. */
const RECLAIMS = ['d_madv_free', 'dirty_cache', 'g_memory_high', 'h_kswapd', 'j_thp_fork', 't_thrash_psi'];
const laterNames = readdirSync(LATER).map((name) => name.slice(0, -9));

test.each(laterNames)('6.12, %s: every figure within its class', (name) => {
  const script = readFileSync(join(FOLDER, `${name}.txt`), 'utf8');
  const truth = linesOf(join(LATER, `${name}.jsonl.gz`));
  const run = runMachineScript(script, { name, machine: { kernel: '6.12' } });
  const { compared, wrong } = compareLines(truth, run.lines);
  expect(RECLAIMS.includes(name) ? wrong.filter((line) => line.includes(': exact: ')) : wrong).toEqual([]);
  expect(compared.exact).toBeGreaterThan(40);
});
