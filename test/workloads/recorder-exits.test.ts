import { expect, it } from 'vitest';
import { createThreadExits } from '../../workloads/recorder/thread-exits.ts';
import { INCLUDES, recordingBench } from '../helpers/recorded.ts';

/** Two rounds of destructors: in the first one of them waits until main() has freed its blocks. */
const WAITING = `${INCLUDES}
  static pthread_key_t key;
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  static int step;
  static void go(int to) { pthread_mutex_lock(&mutex); step = to; pthread_cond_broadcast(&changed); pthread_mutex_unlock(&mutex); }
  static void await(int to) { pthread_mutex_lock(&mutex); while (step < to) pthread_cond_wait(&changed, &mutex); pthread_mutex_unlock(&mutex); }
  static void clears_up(void *p) { go(1); await(2); }
  __attribute__((constructor)) static void made(void) { pthread_key_create(&key, clears_up); }
  void mine(void) { pthread_setspecific(key, (void *)1); }
  void others(void (*frees)(void)) { await(1); frees(); go(2); }`;

const ALLOCATOR = `
  extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
  extern void __libc_free(void *);
  void *malloc(size_t size) { return __libc_malloc(size); }
  void *calloc(size_t count, size_t size) { return __libc_calloc(count, size); }
  void *realloc(void *p, size_t size) { return __libc_realloc(p, size); }
  void free(void *p) { __libc_free(p); }`;

const MAIN = `${INCLUDES}
  void mine(void), others(void (*)(void));
  static void *blocks[3];
  static void *body(void *arg) { for (int i = 0; i < 3; i++) blocks[i] = malloc(777); mine(); return arg; }
  static void frees(void) { for (int i = 0; i < 3; i++) free(blocks[i]); }
  int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, body, NULL);
    others(frees);
    pthread_join(thread, NULL);
    return 0;
  }`;

it('a thread is gone when its allocator clears up: jemalloc in a destructor of its own, glibc behind all of them', (context) => {
  const bench = recordingBench(context);
  const ends = (trace: string) => {
    const ids = new Set<string>();
    return bench.lines(trace).flatMap((line) => {
      const [op, , id, size] = line.split(' ');
      if (op === 'm' && size === '777') ids.add(id!);
      return op === 'te' ? ['te'] : op === 'f' && ids.has(id!) ? ['f'] : [];
    });
  };
  const shared = ['-shared', '-fPIC'];
  for (const [library, source] of [
    ['jemalloc-like', WAITING + ALLOCATOR],
    ['waiting', WAITING],
  ] as const) {
    bench.compile(`${library}.c`, source, shared);
    const path = `${bench.folder}/${library}`;
    const program = bench.compile(`on-${library}.c`, MAIN, [path]);
    expect(bench.record(['-o', `${library}.htb`, '--', program], { LD_PRELOAD: path }).status).toBe(0);
  }
  expect(ends('jemalloc-like.htb')).toEqual(['te', 'f', 'f', 'f']);
  expect(ends('waiting.htb')).toEqual(['f', 'f', 'f', 'te']);
});

it('an exit begins with the first of its records, unless the thread does something behind it', () => {
  const lastOf = new Map<number, number>();
  const exits = createThreadExits(lastOf);
  // Records 0 to 9: thread 1 exits at 2, 3 and (behind thread 2's 4 to 6) 7; thread 2 at 5, and lives on at 6; it exits at 8 and 9.
  exits.exits(1, 2);
  exits.exits(1, 3);
  lastOf.set(1, 3);
  exits.comes(4);
  exits.exits(2, 5);
  lastOf.set(2, 6);
  exits.comes(7);
  exits.exits(1, 7);
  lastOf.set(1, 7);
  exits.comes(8);
  exits.exits(2, 8);
  exits.exits(2, 9);
  lastOf.set(2, 9);
  expect([...exits.found()]).toEqual([
    [1, 2],
    [2, 8],
  ]);
});

it('all tunables of the environment are recorded, though glibc 2.36 takes their string apart in place', (context) => {
  const bench = recordingBench(context);
  const program = bench.compile('one.c', `${INCLUDES} int main(void) { free(malloc(10)); return 0; }`);
  const GLIBC_TUNABLES = 'glibc.pthread.rseq=0:glibc.malloc.top_pad=262144:glibc.malloc.mxfast=0';
  expect(bench.record(['-o', 'one.htb', '--', program], { GLIBC_TUNABLES }).status).toBe(0);
  expect(bench.events('one.htb').recorded.environment).toContainEqual(['GLIBC_TUNABLES', GLIBC_TUNABLES]);
});
