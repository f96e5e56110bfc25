import { expect, it } from 'vitest';
import { INCLUDES, recordingBench } from '../helpers/recorded.ts';

it('a forked process has written to the pages that became its own, not to those that it shares', (context) => {
  const bench = recordingBench(context);
  const program = bench.compile(
    'copies.c',
    `${INCLUDES}
    enum { PAGE = 4096, BYTES = 25 * PAGE };
    static void some(int first, int second) {
      char *block = malloc(BYTES);
      block[first * PAGE] = block[second * PAGE] = 1;
      free(block);
    }
    int main(void) {
      char *block = malloc(BYTES), *end = malloc(PAGE);
      memset(block, 1, BYTES);
      free(block); /* its pages stay: something lies behind it */
      if (fork() == 0) {
        some(3, 9);
        if (fork() == 0) some(4, 10);
        else wait(NULL);
        exit(0);
      }
      wait(NULL);
      free(end);
      return 0;
    }`,
  );
  const { processes } = bench.record(['--', program]);
  const ownPages = processes.slice(1).map(({ trace }) => {
    const lines = bench.lines(trace);
    const writes = lines.slice(lines.lastIndexOf('fork 0')).map((line) => /^w 0 \d+ (\d+) 1$/.exec(line));
    const offsets = writes.flatMap((write) => (write ? [Number(write[1])] : []));
    // The last byte of the block lies on a page that the allocator wrote to, behind it.
    return offsets.filter((at) => at < 25 * 4096 - 1).map((at) => Math.floor(at / 4096));
  });
  expect(ownPages).toEqual([
    [3, 9],
    [4, 10],
  ]);
});
