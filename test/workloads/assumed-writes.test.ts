import { expect, test } from 'vitest';
import { ASSUMED_WRITES, assumedWrites } from '../../workloads/trace/assumed-writes.ts';
import { createHtbInput } from '../../workloads/trace/binary.ts';
import { encodeHtb } from '../../workloads/trace/binary-writer.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { recordingBench } from '../helpers/recorded.ts';

const LINES = [
  '%source recorded with LD_PRELOAD, linux x64',
  `%machine ${ASSUMED_WRITES} 8192`,
  'm 0 1 100000',
  'm 0 2 100000 ~',
  'w 0 2 0 4096',
  'm 0 3 16383',
  'c 0 4 2 50000',
  'a 0 5 64 70000',
  'm 0 6 200000',
];

test('large blocks of a recording whose writes nobody saw, and the pages that were there before', () => {
  const events = eventsOf(LINES);
  const sum = 8192 + 100_000 + 100_000 + 70_000;
  expect(assumedWrites(events, events.length - 1)).toBe(sum);
  expect(assumedWrites(events, events.length)).toBe(sum + 200_000);
  const input = createHtbInput('B');
  for (const part of encodeHtb(events)) input.push(part);
  expect(assumedWrites(input.finish(), events.length)).toBe(sum + 200_000);
});

test('a trace that says how much is written assumes nothing', () => {
  expect(assumedWrites(eventsOf(LINES.slice(2)), 7)).toBe(0);
  expect(assumedWrites(eventsOf([...LINES.slice(0, 1), '%touch none', ...LINES.slice(2)]), 7)).toBe(0);
});

test('a recording without a pattern has the bytes of pages that were there before', (context) => {
  const bench = recordingBench(context);
  const program = bench.compile(
    'again.c',
    `#include <stdlib.h>
    #include <string.h>
    int main(void) {
      char *volatile block = malloc(120000), *volatile above = malloc(100);
      memset(block, 1, 120000);
      free(block); /* its pages stay: something lies above */
      block = malloc(120000);
      block[0] = 1;
      free(block);
      free(above);
      return 0;
    }`,
  );
  const { processes } = bench.record(['--no-fill', '--', program]);
  const found = new RegExp(`^%machine ${ASSUMED_WRITES} (\\d+)$`, 'm').exec(bench.text(processes[0]!.trace));
  const pages = Number(found![1]) / 4096;
  expect(pages).toBeGreaterThanOrEqual(27);
  expect(pages).toBeLessThanOrEqual(30);
});
