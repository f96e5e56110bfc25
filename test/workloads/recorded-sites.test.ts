import { spawnSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type RecordingBench, recordingBench } from '../helpers/recorded.ts';
import { ownFrames, type StackedEvent, stackedEvents } from '../helpers/recorded-stacks.ts';
import { requireTool } from '../helpers/require.ts';

function recordSites(bench: RecordingBench, program: string, args: readonly string[] = []): StackedEvent[] {
  expect(bench.record(['--sites', '-o', 'x.htb', '--', program, ...args])).toMatchObject({ status: 0 });
  return stackedEvents(bench.text('x.htb'));
}

const ofSize = (events: readonly StackedEvent[], size: number): StackedEvent => {
  const found = events.filter((event) => event.size === size);
  expect(found, `blocks of ${size} bytes`).toHaveLength(1);
  return found[0]!;
};

const run = (bench: RecordingBench, command: string, ...args: string[]) =>
  expect(spawnSync(command, args, { cwd: bench.folder, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });

describe('call sites of recorded programs', () => {
  it('are functions, files and lines, of inlined functions, callbacks, threads and the whole family', (context) => {
    const bench = recordingBench(context);
    const source = `#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
static void *kept;
static inline __attribute__((always_inline)) void inlined(size_t n) { kept = malloc(n); }
static void leaf(size_t n) { inlined(n); }
static int order(const void *a, const void *b) { free(malloc(2000)); return 0; }
static void *body(void *a) { leaf(3000); return a; }
static void deeper(int n) { if (n) deeper(n - 1); else leaf(4000); }
int main(void) {
  leaf(1000);
  int two[2] = { 1, 2 };
  qsort(two, 2, sizeof *two, order);
  pthread_t t;
  pthread_create(&t, NULL, body, NULL);
  pthread_join(t, NULL);
  deeper(3);
  kept = realloc(kept, 5000);
  kept = calloc(60, 100);
  kept = memalign(64, 7000);
  return 0;
}
`;
    const program = bench.compile('family.c', source, ['-g']);
    const events = recordSites(bench, program);
    const own = (size: number) => ownFrames(ofSize(events, size), 'family.c');
    expect(own(1000)).toBe('inlined:5 < leaf:6 < main:11');
    expect(own(2000)).toBe('order:7 < main:13');
    expect(own(3000)).toBe('inlined:5 < leaf:6 < body:8');
    expect(ofSize(events, 3000).thread).toBe(1);
    expect(own(4000)).toBe('inlined:5 < leaf:6 < deeper:9 < deeper:9 < deeper:9 < deeper:9 < main:17');
    expect([own(5000), own(6000), own(7000)]).toEqual(['main:18', 'main:19', 'main:20']);
    expect(bench.record(['--', program]).status).toBe(0);
    expect(stackedEvents(bench.text('family.htb'))).toEqual([]);
    expect(bench.record(['--sites', '--anonymize', '--', program]).status).toBe(0);
    expect(bench.text('family.htb')).not.toMatch(/%frame|main/);
  });

  it('are those of C++: demangled, through operator new, templates and exceptions', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'templates.cc',
      `#include <stdexcept>
#include <vector>
namespace shop {
template <class T> struct Shelf { void fill(int n) { v.reserve(n); } std::vector<T> v; };
static void refuse(int n) { char *p = new char[n]; if (n) throw std::runtime_error("full"); delete[] p; }
}
int main() {
  shop::Shelf<double> shelf;
  shelf.fill(1000);
  try { shop::refuse(9001); } catch (std::exception &) { delete new char[9002]; }
}
`,
      ['-g'],
    );
    const events = recordSites(bench, program);
    expect(ownFrames(ofSize(events, 8000), 'templates.cc')).toBe('shop::Shelf<double>::fill(int):4 < main:9');
    expect(ofSize(events, 8000).frames[0]!.name).toBe('operator new(unsigned long)');
    expect(ownFrames(ofSize(events, 9001), 'templates.cc')).toBe('shop::refuse(int):5 < main:10');
    expect(ownFrames(ofSize(events, 9002), 'templates.cc')).toBe('main:10');
    const thrown = events.find(({ frames }) => frames[0]!.name === '__cxa_allocate_exception')!;
    expect(ownFrames(thrown, 'templates.cc')).toBe('shop::refuse(int):5 < main:10');
  });

  it('have places in the file where there are no symbols, and names again with the file of debug information', (context) => {
    const bench = recordingBench(context);
    requireTool(context, 'objcopy');
    const program = bench.compile(
      'bare.c',
      `#include <stdlib.h>
static __attribute__((noinline)) void *inner(void) { return malloc(1234); }
int main(void) { return inner() == NULL; }
`,
      ['-g'],
    );
    run(bench, 'objcopy', '--only-keep-debug', 'bare', 'bare.debug');
    run(bench, 'strip', 'bare');
    const places = ofSize(recordSites(bench, program), 1234).frames;
    expect(places[0]).toMatchObject({ name: expect.stringMatching(/^0x[0-9a-f]+$/), file: '' });
    expect(places[0]!.module).toBe(`${bench.folder}/bare`);
    run(bench, 'objcopy', '--add-gnu-debuglink=bare.debug', 'bare');
    expect(ownFrames(ofSize(recordSites(bench, program), 1234), 'bare.c')).toBe('inner:2 < main:3');
  });

  it('say so where the file has changed since it ran', (context) => {
    const bench = recordingBench(context);
    const source = (size: number) => `#include <stdlib.h>
#include <stdio.h>
int main(void) { char *p = malloc(${size}); remove("changing"); return rename("other", "changing"); }
`;
    bench.compile('other.c', source(1), ['-g']);
    const program = bench.compile('changing.c', source(4321), ['-g']);
    const { status, stderr } = bench.record(['--sites', '-o', 'x.htb', '--', program]);
    expect(status).toBe(0);
    expect(stderr).toContain(`${bench.folder}/changing: another file lies there now than the one that ran`);
    expect(ofSize(stackedEvents(bench.text('x.htb')), 4321).frames[0]!.name).toMatch(/^0x/);
  });

  it('go through signal handlers, other stacks, code without call frame information and deep recursion', (context) => {
    const bench = recordingBench(context);
    const flags = [
      '-g',
      '-O0',
      '-fno-asynchronous-unwind-tables',
      '-fno-unwind-tables',
      '-fno-omit-frame-pointer',
      '-c',
    ];
    writeFileSync(
      `${bench.folder}/plain.c`,
      `#include <stdlib.h>
void *plain(void *(*f)(size_t)) { return f(3000); }
`,
    );
    run(bench, 'cc', ...flags, 'plain.c', '-o', 'plain.o');
    const program = bench.compile(
      'ways.c',
      `#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>
void *plain(void *(*f)(size_t));
static ucontext_t outside, inside;
static void handler(int s) { malloc(1000); }
static void interrupted(void) { raise(SIGUSR1); }
static void coroutine(void) { malloc(2000); swapcontext(&inside, &outside); malloc(2001); }
static void *through(size_t n) { return malloc(n); }
static void deep(int n) { volatile char room[64]; if (n) deep(n - 1); else malloc(4000); room[0] = 1; }
int main(void) {
  stack_t alternative = { .ss_sp = malloc(1 << 16), .ss_size = 1 << 16 };
  sigaltstack(&alternative, NULL);
  struct sigaction a = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
  sigaction(SIGUSR1, &a, NULL);
  interrupted();
  getcontext(&inside);
  inside.uc_stack.ss_sp = malloc(1 << 17);
  inside.uc_stack.ss_size = 1 << 17;
  inside.uc_link = &outside;
  makecontext(&inside, coroutine, 0);
  swapcontext(&outside, &inside);
  swapcontext(&outside, &inside);
  plain(through);
  deep(1000);
  return 0;
}
`,
      ['-g', 'plain.o'],
    );
    const events = recordSites(bench, program);
    const own = (size: number) => ownFrames(ofSize(events, size), 'ways.c');
    expect(own(1000)).toBe('handler:6 < interrupted:7 < main:16');
    expect([own(2000), own(2001)]).toEqual(['coroutine:8', 'coroutine:8']);
    expect(own(3000)).toBe('through:9 < main:24');
    expect(ofSize(events, 3000).frames.map(({ name }) => name)).toContain('plain');
    const deep = ofSize(events, 4000).frames;
    expect(deep).toHaveLength(256);
    expect(deep.at(-1)!.name).toBe('(more callers)');
    expect(deep.slice(0, -1).every(({ name }) => name === 'deep')).toBe(true);
  });

  it('belong to the library that is loaded then, also where another one lay before', (context) => {
    const bench = recordingBench(context);
    for (const name of ['first', 'other']) {
      writeFileSync(
        `${bench.folder}/${name}.c`,
        `#include <stdlib.h>\nvoid *${name}(void) { void *p = malloc(${name === 'first' ? 1111 : 2222}); __asm__ volatile(""); return p; }\n`,
      );
      run(bench, 'cc', '-g', '-shared', '-fPIC', '-o', `lib${name}.so`, `${name}.c`);
    }
    const program = bench.compile(
      'loader.c',
      `#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
static void use(const char *file, const char *name) {
  void *library = dlopen(file, RTLD_NOW);
  ((void *(*)(void))dlsym(library, name))();
  printf("%p\\n", dlsym(library, name));
  dlclose(library);
}
int main(void) { for (int i = 0; i < 2; i++) { use("./libfirst.so", "first"); use("./libother.so", "other"); } return 0; }
`,
      ['-g', '-ldl'],
    );
    const { status, stdout } = bench.record(['--sites', '-o', 'x.htb', '--', program]);
    expect(status).toBe(0);
    expect(new Set(stdout.trim().split('\n')).size).toBe(1); // both lay at the same addresses
    const stacks = stackedEvents(bench.text('x.htb')).filter(({ size }) => size === 1111 || size === 2222);
    expect(stacks.map(({ size, frames }) => [size, frames[0]!.name, frames[0]!.module, frames[1]!.name])).toEqual(
      [1, 2].flatMap(() => [
        [1111, 'first', `${bench.folder}/libfirst.so`, 'use'],
        [2222, 'other', `${bench.folder}/libother.so`, 'use'],
      ]),
    );
  });

  it('are each process’s own: forks keep what they inherit, exec begins anew', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'family.c',
      `#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void inherited(void) { malloc(200000); }
static void after(int n) { malloc(n); }
int main(int argc, char **argv) {
  if (argc > 1) { after(4000); return 0; }
  inherited();
  if (fork() == 0) { after(2000); exit(0); }
  wait(NULL);
  after(3000);
  execl(argv[0], argv[0], "again", NULL);
}
`,
      ['-g'],
    );
    const { processes } = bench.record(['--sites', '--', program]);
    const own = processes.map(({ trace }) =>
      stackedEvents(bench.text(trace)).map((event) => `${event.size} ${ownFrames(event, 'family.c')}`),
    );
    const [inherited, child, parent, again] = [
      '200000 inherited:4 < main:8',
      '2000 after:5 < main:9',
      '3000 after:5 < main:11',
      '4000 after:5 < main:7',
    ];
    expect(own).toContainEqual([again]);
    expect(own).toContainEqual([inherited, parent]);
    expect(own).toContainEqual([inherited, child]);
  });

  it('are lines of PHP within PHP’s own heap', (context) => {
    const bench = recordingBench(context);
    requireTool(context, 'php');
    writeFileSync(
      `${bench.folder}/lines.php`,
      `<?php
class Shelf {
  public $kept = [];
  function put($i) {
    $this->kept[] = str_repeat('x', 100000 + $i);
  }
}
$shelf = new Shelf;
for ($i = 0; $i < 50; $i++) $shelf->put($i);
$last = str_repeat('y', 300000);
`,
    );
    expect(bench.record(['--sites', '-o', 'x.htb', '--', 'php', '-n', 'lines.php']).status).toBe(0);
    const text = bench.text('x.htb').replace(/^e([mcr]) /gm, '$1 ');
    const line = (low: number, high: number) =>
      new Set(
        stackedEvents(text)
          .filter(({ size }) => size >= low && size < high)
          .map((event) => ownFrames(event, 'lines.php')),
      );
    expect(line(100_000, 100_100)).toEqual(new Set(['php:5']));
    expect(line(300_000, 300_100)).toEqual(new Set(['php:10']));
  });

  it('are heaptrack’s', (context) => {
    const bench = recordingBench(context);
    requireTool(context, 'heaptrack');
    const program = bench.compile(
      'both.cc',
      `#include <map>
#include <string>
#include <thread>
#include <vector>
static std::map<int, std::string> names;
static void put(int i) { names[i] = std::string(100 + i % 7, 'x'); }
static void work() { for (int i = 0; i < 50; i++) std::vector<int>(100 + i); }
int main() {
  for (int i = 0; i < 200; i++) put(i);
  std::thread one(work);
  one.join();
  for (int i = 0; i < 100; i++) names.erase(i * 2);
}
`,
      ['-g', '-O2'],
    );
    const ours = recordSites(bench, program);
    spawnSync('heaptrack', ['-o', 'ht', program], { cwd: bench.folder });
    renameSync(`${bench.folder}/ht.zst`, `${bench.folder}/heaptrack.zst`);
    const imported = spawnSync(
      process.execPath,
      [`${import.meta.dirname}/../../dist/bench/cli.js`, 'trace', 'import', 'heaptrack.zst', 'ht.htb'],
      { cwd: bench.folder, encoding: 'utf8' },
    );
    expect(imported).toMatchObject({ status: 0 });
    const theirs = stackedEvents(bench.text('ht.htb'));
    // What the two add to the program themselves lies outside of it.
    const key = (event: StackedEvent) =>
      `${event.size} ${event.frames.filter(({ file }) => /^\/usr\/include|both\.cc$/.test(file)).map(({ file, line }) => `${file}:${line}`)}`;
    const inProgram = (events: readonly StackedEvent[]) =>
      events
        .filter(
          (event) =>
            ownFrames(event, 'both.cc') !== '' && !event.frames.some(({ name }) => name.includes('pthread_create')),
        )
        .map(key)
        .sort();
    expect(inProgram(ours).length).toBeGreaterThan(400);
    expect(inProgram(ours)).toEqual(inProgram(theirs));
  });
});
