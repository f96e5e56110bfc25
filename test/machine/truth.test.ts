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

/** What a real 6.12 answered to some of the same scripts, and to such as show its generations. */
const LATER = fileURLToPath(new URL('../fixtures/machine/6.12', import.meta.url));
const laterNames = readdirSync(LATER)
  .filter((name) => name.endsWith('.jsonl.gz'))
  .map((name) => name.slice(0, -9));

/** What is outside its class there, and why (machine/FIDELITY.md). */
const DIFFERS: Readonly<Record<string, RegExp>> = {
  // Each run of kswapd begins by emptying what the lists of the processor have grown to (up to 0.6 ms): pressure is 15 to 25 % less here, and more where it runs
  // for the first time.
  d_madv_free: / some: band/,
  h_kswapd: / some: band/,
  t_thrash_psi: / some: band/,
  // Whether somebody who comes to a group of dirty cache has room without its flusher: 3 MB of 41 decide that.
  f_cgroup_max: /^machine e_oom_group .*nr_written: /,
  // A page that comes back from swap too early is waited for, as pressure.
  generations_swap: /^machine s3 .* some: band/,
  // How long its writer is held up; the tree of evicted pages is thinned out.
  g_memory_high: /(write \/mnt\/f 0 200M .* us|k_reread .*workingset_refault_file): band/,
  // Huge pages on the lists of the processor.
  j_thp_fork: /free and lists: constant/,
};

test.each(laterNames)('6.12, %s: every figure within its class', (name) => {
  const own = readdirSync(LATER).includes(`${name}.txt`) ? LATER : FOLDER;
  const script = readFileSync(join(own, `${name}.txt`), 'utf8');
  const truth = linesOf(join(LATER, `${name}.jsonl.gz`));
  const run = runMachineScript(script, { name, machine: { kernel: '6.12' } });
  const { compared, wrong } = compareLines(truth, run.lines);
  const differs = DIFFERS[name];
  expect(wrong.filter((line) => !differs?.test(line))).toEqual([]);
  expect(compared.exact).toBeGreaterThan(40);
});
