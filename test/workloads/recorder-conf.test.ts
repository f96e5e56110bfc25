import { expect, it } from 'vitest';
import { ignoredSettings, recordedAllocator } from '../../bench/run/recorded-allocator.ts';
import { INCLUDES, type RecordingBench, recordingBench } from '../helpers/recorded.ts';

/** A library that is asked as jemalloc is; its blocks are glibc's. */
function jemallocLike(bench: RecordingBench, builtWith: string): string {
  bench.compile(
    'jemalloc-like.c',
    `#include <stddef.h>
    #include <string.h>
    extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
    extern void __libc_free(void *);
    void *malloc(size_t size) { return __libc_malloc(size); }
    void *calloc(size_t count, size_t size) { return __libc_calloc(count, size); }
    void *realloc(void *p, size_t size) { return __libc_realloc(p, size); }
    void free(void *p) { __libc_free(p); }
    const char *malloc_conf __attribute__((weak));
    int mallctl(const char *name, void *old, size_t *length, void *given, size_t given_length) {
      if (strcmp(name, "config.malloc_conf")) return 2;
      *(const char **)old = "${builtWith}";
      return 0;
    }`,
    ['-shared', '-fPIC'],
  );
  return `${bench.folder}/jemalloc-like`;
}

const MAIN = `${INCLUDES}
int main(void) {
  free(malloc(1000));
  return 0;
}`;

it('what jemalloc was built with, and what the program has in malloc_conf, is heard; the environment goes before', (context) => {
  const bench = recordingBench(context);
  const library = jemallocLike(bench, 'muzzy_decay_ms:500,narenas:3');
  const own = `const char *malloc_conf = "dirty_decay_ms:20,narenas:2,lg_chunk:21";`;
  const program = bench.compile('own.c', own + MAIN, ['-rdynamic']);
  expect(bench.record(['-o', 'own.htb', '--', program], { LD_PRELOAD: library }).status).toBe(0);
  expect(recordedAllocator(bench.events('own.htb'))).toBe('jemalloc:muzzy_decay_ms=500,narenas=2,dirty_decay_ms=20');
  expect(ignoredSettings(bench.events('own.htb'))).toEqual(['lg_chunk:21']);
  const environment = { LD_PRELOAD: library, MALLOC_CONF: 'dirty_decay_ms:0' };
  expect(bench.record(['-o', 'said.htb', '--', program], environment).status).toBe(0);
  expect(recordedAllocator(bench.events('said.htb'))).toBe('jemalloc:muzzy_decay_ms=500,narenas=2,dirty_decay_ms=0');
});

it('a variable of that name is nothing to a program without jemalloc', (context) => {
  const bench = recordingBench(context);
  const program = bench.compile('other.c', `int malloc_conf = 7;${MAIN}`, ['-rdynamic']);
  expect(bench.record(['-o', 'other.htb', '--', program]).status).toBe(0);
  expect(recordedAllocator(bench.events('other.htb'))).toBe('glibc');
});
