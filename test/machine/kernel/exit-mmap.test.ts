import { expect, test } from 'vitest';
import { exitMmapSteps } from '../../../machine/kernel/exit-mmap.ts';
import { runMachineScript } from '../../../machine/script/run.ts';

const PAGES = 20_000;

function killed(script: string) {
  const run = runMachineScript(script);
  const { task } = run.process('p1')!;
  const before = run.k.vmstat.pgfree;
  const steps = exitMmapSteps(run.k, task);
  return { run, task, steps, freed: () => run.k.vmstat.pgfree - before };
}

test('who ends has unmapped 9,698 pages before it frees the first of them, and frees those by 510', () => {
  const { run, task, steps, freed } = killed(`#! -m 512 --thp never
new p1
p1 mmap A ${PAGES * 4}K private
p1 touch A 0 ${PAGES * 4}K`);
  const entries = () => [...task.mm.pmds.values()].reduce((sum, { used }) => sum + used, 0);
  const mapped = entries();
  while (freed() === 0) steps.next();
  expect(mapped - entries()).toBe(9698);
  // Pages of the program's file, which others have, are among them and not freed.
  const sizes: number[] = [];
  for (let last = 0; mapped - entries() === 9698; ) {
    sizes.push(freed() - last);
    last = freed();
    steps.next();
  }
  expect(Math.max(...sizes)).toBe(510);
  expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThan(9400);
  while (!task.oomSkip) steps.next();
  expect(task.mm.getRss()).toBe(0);
  expect(run.k.gathered.size).toBeGreaterThan(0);
  while (!steps.next().done);
  expect(freed()).toBeGreaterThan(PAGES);
  expect(run.k.gathered.size).toBe(0);
});

test('pages that a child has too are let go, not freed', () => {
  const { steps, freed, run } = killed(`#! -m 512 --thp never
new p1
p1 mmap A 20M private
p1 touch A 0 20M
p1 fork p2`);
  const rss = run.process('p2')!.task.mm.getRss();
  while (!steps.next().done);
  expect(freed()).toBeLessThan(100);
  expect(run.process('p2')!.task.mm.getRss()).toBe(rss);
});

test('a huge page goes as one', () => {
  const { steps, freed, run } = killed(`#! -m 700 --thp always
new p1
p1 mmap A 40M private
p1 touch A 0 40M`);
  let us = 0;
  for (let step = steps.next(); !step.done; step = steps.next()) us += step.value;
  expect(freed()).toBeGreaterThanOrEqual(20 * 512);
  expect(us).toBeLessThan(1000);
  expect(run.k.vmstat.nr_anon_transparent_hugepages).toBe(0);
});
