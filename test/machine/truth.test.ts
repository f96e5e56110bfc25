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

test('there is a truth for each script', () => {
  const truths = readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl.gz'));
  expect(truths.map((name) => name.slice(0, -9)).sort()).toEqual([...names].sort());
  expect(names.length).toBeGreaterThanOrEqual(44);
});

test.each(names)('%s: every figure within its class', (name) => {
  const script = readFileSync(join(FOLDER, `${name}.txt`), 'utf8');
  const truth = gunzipSync(readFileSync(join(FOLDER, `${name}.jsonl.gz`)))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const run = runMachineScript(script, { name });
  const { compared, wrong } = compareLines(truth, run.lines);
  expect(wrong).toEqual([]);
  expect(compared.exact).toBeGreaterThan(50);
});
