import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { runCrew } from '../../bench/run/modes/crew.ts';
import { Interrupted } from '../../sim/contract/assert.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

/** Workers that run `source`; each has `task` and `flag`, an Int32Array that `abort` sets to 1. */
function crew(
  source: string,
  count: number,
  look: () => string | undefined = () => undefined,
  interrupted = () => false,
) {
  const file = join(temporaryFolder(), 'worker.mjs');
  writeFileSync(
    file,
    `import { parentPort, workerData } from 'node:worker_threads';\nconst { task, flag } = workerData;\n${source}\n`,
  );
  const flag = new Int32Array(new SharedArrayBuffer(4));
  return runCrew<{ task: number; flag: Int32Array }, number>({
    file: pathToFileURL(file),
    tasks: Array.from({ length: count }, (_, task) => ({ task, flag })),
    abort: () => {
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
    },
    look,
    interrupted,
  });
}

test('gives the reports in the order of the tasks', async () => {
  expect(await crew('parentPort.postMessage(task * 10);', 4)).toEqual([0, 10, 20, 30]);
});

test('one that fails ends the run with its error, though the others wait for it', async () => {
  const source = `
    if (task === 2) throw new Error('the third one has failed');
    while (Atomics.load(flag, 0) === 0) Atomics.wait(flag, 0, 0, 1000);`;
  await expect(crew(source, 4)).rejects.toThrow('the third one has failed');
});

test('one that just goes away is missed', async () => {
  const source = `
    if (task === 1) process.exit(3);
    while (Atomics.load(flag, 0) === 0) Atomics.wait(flag, 0, 0, 1000);`;
  await expect(crew(source, 3)).rejects.toThrow('worker 1 ended with exit code 3 before its work was done');
});

test('who does not look at the flag is ended', async () => {
  const source = `
    if (task === 0) throw new Error('failed');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;
  await expect(crew(source, 2)).rejects.toThrow('failed');
});

test('a complaint of the onlooker ends the run', async () => {
  const source = 'while (Atomics.load(flag, 0) === 0) Atomics.wait(flag, 0, 0, 1000);\nparentPort.postMessage(task);';
  await expect(crew(source, 2, () => 'nothing moves')).rejects.toThrow('nothing moves');
});

test('given up from outside: who has not begun is ended, and that is no failure', async () => {
  const started = performance.now();
  const work = crew(
    'setInterval(() => {}, 1000);',
    3,
    () => undefined,
    () => performance.now() - started > 100,
  );
  await expect(work).rejects.toThrow(Interrupted);
  expect(performance.now() - started).toBeLessThan(40_000); // and does not wait for the test to end
});
