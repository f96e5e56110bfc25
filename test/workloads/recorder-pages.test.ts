import { describe, expect, it } from 'vitest';
import { ASSUMED_WRITES } from '../../workloads/trace/assumed-writes.ts';
import { INCLUDES, recordingBench } from '../helpers/recorded.ts';

it('a block of many pages is looked at, however much was spent on smaller ones that come and go', async (context) => {
  const bench = recordingBench(context);
  const program = bench.compile(
    'index.c',
    `${INCLUDES}
    enum { INDEX = 300 << 20 };
    int main(void) {
      for (int i = 0; i < 6000; i++) {
        size_t size = 30000 + i * 7919u % 870000;
        char *page = malloc(size), *line = malloc(size / 3);
        memset(page, i, size / (1 + i % 4));
        memset(line, i, size / 6);
        free(page);
        free(line);
      }
      char *index = malloc(INDEX);
      for (size_t at = 0; at < INDEX; at += 1 << 20) index[at] = 1;
      return index[0] - 1;
    }`,
  );
  expect(bench.record(['-o', 'index.htb', '--', program]).status).toBe(0);
  expect(bench.text('index.htb')).toContain(' 314572800 ~');
  const { summary } = await bench.replay('index.htb', 'glibc@2.36');
  expect(summary.rssBytes).toBeLessThan(8 << 20);
});

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

/** The pages, of those that the last block begins in, to which the lines behind its allocation write. */
function writtenPages(lines: readonly string[]): number[] {
  const last = lines.findLastIndex((line) => /^[mcar] .* ~$/.test(line));
  return lines.slice(last + 1).flatMap((line) => {
    const write = /^w \d+ \d+ (\d+) (\d+)$/.exec(line);
    if (!write) return [];
    const [first, count] = [Math.floor(Number(write[1]) / 4096), Math.ceil(Number(write[2]) / 4096)];
    return Array.from({ length: count }, (_, i) => first + i);
  });
}

const upTo = (count: number) => Array.from({ length: count }, (_, page) => page);

/** `block` was written in full and freed; its pages stay. */
const OF_REUSED_PAGES: readonly (readonly [what: string, body: string, pages: readonly number[]])[] = [
  ['when it is freed', 'block = malloc(BYTES); block[3 * PAGE] = block[9 * PAGE] = 1; free(block);', [3, 9]],
  ['when the process exits', 'block = malloc(BYTES); block[3 * PAGE] = block[9 * PAGE] = 1;', [3, 9]],
  ['by the process, not by its child', 'block = malloc(BYTES); if (fork() == 0) { block[4 * PAGE] = 1; _exit(0); } wait(NULL); block[7 * PAGE] = 1;', [7]],
  ['by calloc', 'block = calloc(BYTES, 1); for (int i = 0; i < BYTES; i++) must(block[i] == 0);', upTo(25)],
  ['where it grows in its place', `
    block = malloc(10 * PAGE);
    block[2 * PAGE] = 2;
    char *same = realloc(block, 20 * PAGE);
    must(same == block && block[2 * PAGE] == 2);
    block[15 * PAGE] = 1; /* what lay behind its old end had a header there */`, [2, 10, 15]],
  ['by realloc, which moves it', `
    block = malloc(8 * PAGE);
    char *above = malloc(100);
    for (int i = 0; i < 5 * PAGE; i++) block[i] = i * 7;
    block = realloc(block, 30 * PAGE);
    for (int i = 0; i < 5 * PAGE; i++) must(block[i] == (char)(i * 7));
    block[20 * PAGE] = 1;`, [...upTo(9), 20]],
  ['where the program may not read any more: as a whole', 'block = memalign(PAGE, 20 * PAGE); must(mprotect(block + 8 * PAGE, PAGE, PROT_NONE) == 0); free(block);', upTo(20)],
]; // biome-ignore format: a table

describe('Of a block whose pages were there before those are known that are written', () => {
  for (const [what, body, pages] of OF_REUSED_PAGES) {
    it(what, (context) => {
      const bench = recordingBench(context);
      const program = bench.compile(
        'again.c',
        `${INCLUDES}
        #include <sys/mman.h>
        enum { PAGE = 4096, BYTES = 25 * PAGE };
        static void must(int is_so) { if (!is_so) abort(); }
        int main(void) {
          char *block = malloc(BYTES), *end = malloc(PAGE);
          memset(block, 1, BYTES);
          free(block);
          ${body}
          return 0;
        }`,
      );
      const { processes, status } = bench.record(['--', program]);
      expect(status).toBe(0);
      const [own] = processes;
      expect(writtenPages(bench.lines(own!.trace))).toEqual(pages);
      expect(bench.text(own!.trace)).not.toContain(ASSUMED_WRITES);
    });
  }
});
