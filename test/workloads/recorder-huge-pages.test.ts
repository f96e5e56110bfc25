import { readFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { OWN_HUGE_PAGES } from '../../workloads/trace/assumed-writes.ts';
import { INCLUDES, recordingBench } from '../helpers/recorded.ts';
import { requireThat } from '../helpers/require.ts';

const MIB = 2 ** 20;
const HUGE = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };

function requireHugePages(context: TestContext): void {
  const [major = 0, minor = 0] = readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').map(Number);
  requireThat(context, major > 6 || (major === 6 && minor >= 7), 'a kernel that tells which pages are huge');
  const mode = /\[(\w+)\]/.exec(readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8'))?.[1];
  requireThat(context, mode !== undefined && mode !== 'never', 'huge pages');
}

/** `block` has 16 MiB, on huge pages; in mebibytes what of it is said to be written: at least, and at most. */
const PROGRAMS: readonly (readonly [what: string, body: string, least: number, most: number])[] = [
  ['calloc', 'block = calloc(BYTES, 1); for (int at = 0; at < BYTES; at += 1 << 18) block[at] = 1;', 0, 2],
  ['malloc', 'block = malloc(BYTES); for (int at = 100; at < BYTES; at += 1 << 18) block[at] = 1;', 0, 2],
  ['malloc, written with zeros', 'block = memalign(1 << 21, BYTES); memset(block, 0, BYTES);', 16, 18],
  ['malloc, written', 'block = malloc(BYTES); memset(block, 1, BYTES);', 16, 18],
  ['a block that had been written before', `
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
    block = malloc(BYTES);
    char *end = malloc(100);
    memset(block, 1, BYTES);
    free(block);
    block = malloc(BYTES);
    for (int at = 0; at < BYTES; at += 1 << 18) block[at] = 1;
    must(block[7 << 18] == 1);`, 0, 2],
  ['a block that has been read', 'block = calloc(BYTES, 1); for (int at = 0; at < BYTES; at += 1 << 12) must(block[at] == 0);', 0, 2],
  ['realloc', `
    block = malloc(BYTES / 2);
    memset(block, 5, 1 << 20);
    block = realloc(block, BYTES);
    for (int at = 0; at < 1 << 20; at++) must(block[at] == 5);
    block[BYTES - 5000] = 1;`, 1, 3],
  ['for which the program has asked itself: as a whole', 'block = memalign(1 << 21, BYTES); must(madvise(block, BYTES, MADV_HUGEPAGE) == 0); for (int at = 0; at < BYTES; at += 1 << 18) block[at] = 1;', 16, 17],
  ['what may not be read any more: as a whole', 'block = memalign(1 << 21, BYTES); for (int at = 0; at < BYTES; at += 1 << 18) block[at] = 1; must(mprotect(block, 1 << 21, PROT_NONE) == 0);', 2, 3],
]; // biome-ignore format: a table

/** As the lines behind the allocation of the last block say. */
function writtenBytes(lines: readonly string[]): number {
  const writes = lines.slice(lines.findLastIndex((line) => /^[mcar] .* ~$/.test(line)) + 1);
  return writes.reduce((sum, line) => sum + Number(/^w \d+ \d+ \d+ (\d+)$/.exec(line)?.[1] ?? 0), 0);
}

describe('Of a block on huge pages those parts are known that are written:', () => {
  for (const [what, body, least, most] of PROGRAMS) {
    it(what, (context) => {
      requireHugePages(context);
      const bench = recordingBench(context);
      const program = bench.compile(
        'huge.c',
        `${INCLUDES}
        #include <sys/mman.h>
        enum { BYTES = 16 << 20 };
        static void must(int is_so) { if (!is_so) abort(); }
        int main(void) {
          char *block;
          ${body}
          return 0;
        }`,
      );
      expect(bench.record(['-o', 'huge.htb', '--', program], HUGE).status).toBe(0);
      const written = writtenBytes(bench.lines('huge.htb')) / MIB;
      expect(written).toBeGreaterThanOrEqual(least);
      expect(written).toBeLessThanOrEqual(most);
    });
  }
});

it('what the program maps and advises beside its blocks is none of them', (context) => {
  requireHugePages(context);
  const bench = recordingBench(context);
  const program = bench.compile(
    'own.c',
    `${INCLUDES}
    #include <sys/mman.h>
    int main(int count, char **arguments) {
      char *own = mmap(NULL, 6 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      munmap(own, 1 << 20);
      if (madvise(own + (1 << 20), 4 << 20, MADV_HUGEPAGE)) return 1;
      if (count == 1) return 0;
      char *block = memalign(1 << 21, 8 << 20);
      block[0] = 1;
      return madvise(block, 8 << 20, MADV_HUGEPAGE);
    }`,
  );
  expect(bench.record(['-o', 'own.htb', '--', program]).status).toBe(0);
  expect(bench.text('own.htb')).not.toContain(OWN_HUGE_PAGES);
  expect(bench.record(['-o', 'block.htb', '--', program, 'block']).status).toBe(0);
  expect(bench.text('block.htb')).toContain(`%machine ${OWN_HUGE_PAGES} ${8 * MIB}\n`);
});
