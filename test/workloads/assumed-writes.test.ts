import { expect, test } from 'vitest';
import { bytes } from '../../sim/contract/format.ts';
import { ASSUMED_WRITES, assumedWrites } from '../../workloads/trace/assumed-writes.ts';
import { createHtbInput } from '../../workloads/trace/binary.ts';
import { encodeHtb } from '../../workloads/trace/binary-writer.ts';
import { traceStatistics } from '../../workloads/trace/statistics.ts';
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

test('the end of a recording and `trace info` have the same sum, and say where looking came to its bound', (context) => {
  const bench = recordingBench(context);
  const program = bench.compile(
    'often.c',
    `#include <malloc.h>
    #include <stdlib.h>
    int main(void) {
      mallopt(M_MMAP_THRESHOLD, 1 << 30);
      mallopt(M_TRIM_THRESHOLD, 1 << 30);
      for (int i = 0; i < 8000; i++) {
        char *volatile block = malloc(4000000);
        block[i % 100 * 4096] = 1;
        free(block);
      }
      return 0;
    }`,
  );
  const { processes, stderr } = bench.record(['--', program]);
  const [, told, unseen] =
    /assumed writes: (?:(\S+ \S+) of large blocks, )?(\S+ \S+) in blocks that were not looked at/.exec(stderr)!;
  const { trace } = processes[0]!;
  expect(bytes(traceStatistics(bench.events(trace)).assumedWriteBytes)).toBe(told ?? unseen);
  // They are taken to be like those that were: one page.
  const lines = bench.lines(trace);
  expect(lines.filter((line) => /^m .* 4000000/.test(line)).every((line) => line.endsWith('~'))).toBe(true);
  expect(lines.filter((line) => line.startsWith('w ')).every((line) => Number(line.split(' ')[4]) <= 4097)).toBe(true);
});
