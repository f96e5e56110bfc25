import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { INCLUDES, recordingBench } from '../helpers/recorded.ts';
import { requireThat } from '../helpers/require.ts';

const JEMALLOC = '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2';

describe('what the recorder sees of one process', () => {
  it('is every call of every thread, in one order', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'threads.c',
      `${INCLUDES}
      static void *shared;
      static void *body(void *arg) {
        void *p = malloc(1111);
        shared = realloc(p, 2222);
        for (int i = 0; i < 1000; i++) free(malloc(3333 + i));
        return arg;
      }
      int main(void) {
        void *q;
        free(calloc(77, 7));
        if (posix_memalign(&q, 256, 4444)) return 1;
        pthread_t t;
        pthread_create(&t, NULL, body, NULL);
        pthread_join(t, NULL);
        free(shared);
        free(NULL);
        q = realloc(q, 0);
        return 3;
      }`,
    );
    const { status, processes, stderr } = bench.record(['--', program]);
    expect(status).toBe(3);
    expect(stderr).toContain('next: npx sim explain threads.htb');
    expect(processes).toMatchObject([{ command: 'threads', trace: 'threads.htb', threads: 2, exit: 3 }]);
    const all = bench.lines('threads.htb');
    const own = all
      .slice(all.findIndex((line) => /^c 0 \d+ 77 7$/.test(line)))
      .filter((line) => !/^c 0 \d+ \d+ 16$/.test(line)); // the thread's dtv
    const id = (line: string | undefined) => line?.split(' ')[2];
    expect(own[1]).toBe(`f 0 ${id(own[0])}`);
    expect(own[2]).toMatch(/^a 0 \d+ 256 4444$/);
    expect(own.slice(3, 5)).toEqual(['tc 0 1', 'tb 1']);
    expect(own[5]).toMatch(/^m 1 \d+ 1111$/);
    expect(own[6]).toBe(`r 1 ${id(own[5])} 2222`);
    expect(own[7]).toMatch(/^m 1 \d+ 3333$/);
    expect(own.at(-4)).toMatch(/^tj 0 1 \d+$/);
    expect(own.at(-5)).toBe('te 1');
    expect(own.slice(-3)).toEqual([`f 0 ${id(own[5])}`, `r 0 ${id(own[2])} 0`, 'exit 0']);
    expect(bench.text('threads.htb')).toMatch(/^%thread 0 threads$/m);
  });

  it('is the whole family, calls that fail and settings too', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'family.c',
      `${INCLUDES}
      int main(void) {
        void *p;
        mallopt(M_MMAP_THRESHOLD, 65536);
        mallopt(M_TRIM_THRESHOLD, -1);
        free(reallocarray(NULL, 7, 11));
        free(aligned_alloc(48, 101));
        free(memalign(64, 102));
        free(valloc(103));
        free(pvalloc(104));
        if (malloc((size_t)1 << 46) || pvalloc((size_t)-1)) return 1;
        if (reallocarray(NULL, (size_t)-1, 16) || errno != ENOMEM) return 2;
        p = malloc(105);
        if (realloc(p, (size_t)1 << 46) || malloc_usable_size(p) < 105) return 3;
        free(p);
        malloc_trim(4096);
        return 0;
      }`,
    );
    expect(bench.record(['--', program]).status).toBe(0);
    expect(bench.lines('family.htb').map((line) => line.replace(/^([mcarf]) 0 \d+/, '$1'))).toEqual([
      'opt 0 M_MMAP_THRESHOLD 65536', 'opt 0 M_TRIM_THRESHOLD -1', 'm 77', 'f', 'a 64 101', 'f', 'a 64 102', 'f', 'a 4096 103', 'f', 'a 4096 4096', 'f',
      'm 70368744177664 !', 'a 4096 9007199254740991 !', 'm 105', 'r 70368744177664 !', 'f', 'trim 0 4096', 'exit 0',
    ]); // biome-ignore format: a table
  });

  it('is every operator new and delete, whoever serves them', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'operators.cc',
      `#include <new>
      #include <stdexcept>
      struct alignas(128) Wide { char c[300]; };
      int main() {
        delete new int[25]; // as it stands: 100 bytes
        delete new Wide;
        delete[] new Wide[2];
        int refused = 0;
        try { if (operator new(1ull << 46)) refused = 9; } catch (std::bad_alloc &) { refused++; }
        if (new (std::nothrow) char[1ull << 46]) refused = 9;
        try { throw std::runtime_error("x"); } catch (...) { refused++; }
        return refused;
      }`,
    );
    const expected = ['m 100', 'f', 'a 128 384', 'f', 'a 128 768', 'f', 'm 70368744177664 !', 'm 70368744177664 !'];
    const seen = (trace: string) => {
      const lines = bench.lines(trace).map((line) => line.replace(/^([mcarf]) 0 \d+/, '$1'));
      const from = lines.indexOf('m 100');
      // What the runtime needs for exceptions differs; so does what jemalloc rounds a size to.
      return lines
        .slice(from)
        .filter((line) => /70368744177664|^a 128|^m 100$/.test(line) || lines.indexOf(line) < from + 6)
        .map((line) => line.replace('a 128 300', 'a 128 384').replace('a 128 600', 'a 128 768'));
    };
    expect(bench.record(['--', program]).status).toBe(2);
    expect(seen('operators.htb').filter((line) => line !== 'f')).toEqual(expected.filter((line) => line !== 'f'));
    for (const library of ['libjemalloc.so.2', 'libtcmalloc_minimal.so.4', 'libmimalloc.so.2']) {
      requireThat(context, existsSync(`/usr/lib/x86_64-linux-gnu/${library}`), `needs ${library}`);
      const { status, stderr } = bench.record(['-o', 'other.htb', '--', program], { LD_PRELOAD: library });
      expect(`${library} ${status} ${stderr.match(/not seen|cut short/) ?? ''}`).toMatch(/^lib\S+ (2|9|10|11) $/);
      const text = bench.text('other.htb');
      expect(text).toMatch(/^m 0 \d+ 100$/m);
      expect(text.match(/^a 0 \d+ 128 /gm)).toHaveLength(2);
      expect(text).toContain(`%env LD_PRELOAD ${library}`);
    }
  });

  it('is jemalloc’s mallctl too, by name and by number', (context) => {
    const bench = recordingBench(context);
    requireThat(context, existsSync(JEMALLOC) && process.arch === 'x64', 'needs libjemalloc2 on x86-64');
    const program = bench.compile(
      'mallctl.c',
      `${INCLUDES}
      #include <stdbool.h>
      int mallctl(const char *, void *, size_t *, void *, size_t);
      int mallctlnametomib(const char *, size_t *, size_t *);
      int mallctlbymib(const size_t *, size_t, void *, size_t *, void *, size_t);
      int main(void) {
        size_t mib[3], length = 3, bytes = 8;
        ssize_t ms = -1, old;
        unsigned arenas;
        bool on = true;
        char name[40];
        mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
        bytes = sizeof arenas;
        mallctl("arenas.narenas", &arenas, &bytes, NULL, 0);
        sprintf(name, "arena.%u.purge", arenas);
        mallctl(name, NULL, NULL, NULL, 0);
        mallctlnametomib("arena.0.decay", mib, &length);
        mib[1] = 4096;
        mallctlbymib(mib, length, NULL, NULL, NULL, 0);
        bytes = sizeof old;
        mallctl("arena.0.dirty_decay_ms", &old, &bytes, &ms, sizeof ms);
        mallctl("arena.0.dirty_decay_ms", &old, &bytes, NULL, 0); // only asks
        mallctl("arenas.muzzy_decay_ms", NULL, NULL, NULL, 0);
        mallctl("no.such.name", NULL, NULL, NULL, 0);
        mallctl("background_thread", NULL, NULL, &on, sizeof on);
        bytes = sizeof arenas;
        length = 2;
        mallctlnametomib("arenas.create", mib, &length);
        if (mallctlbymib(mib, length, &arenas, &bytes, NULL, 0)) return 1;
        length = 3;
        mallctlnametomib("arena.0.reset", mib, &length);
        mib[1] = arenas;
        if (mallctlbymib(mib, length, NULL, NULL, NULL, 0)) return 2;
        mallctl("thread.arena", &arenas, &bytes, NULL, 0); // only asks
        return mallctl("arenas.create", &arenas, &bytes, NULL, 0);
      }`,
      ['-l:libjemalloc.so.2'],
    );
    const { status, stderr } = bench.record(['--', program]);
    expect(status).toBe(0);
    expect(stderr).toContain('calls of mallctl("arenas.create"), which are not replayed: 2');
    expect(stderr).toContain('calls of mallctl("arena.<i>.reset"), which are not replayed: 1');
    expect(stderr).not.toContain('thread.arena');
    expect(bench.lines('mallctl.htb').filter((line) => line.startsWith('ctl'))).toEqual([
      'ctl 0 thread.tcache.flush',
      'ctl 0 arena.4096.purge',
      'ctl 0 arena.4096.decay',
      'ctl 0 arena.0.dirty_decay_ms -1',
      'ctl 0 background_thread 1',
    ]);
  });

  it('leaves the limits of the program alone, and works in a small address space', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'limits.c',
      `${INCLUDES}
      int main(void) {
        struct rlimit space = { 100 << 20, 100 << 20 }, file = { 0, 0 };
        setrlimit(RLIMIT_AS, &space);
        setrlimit(RLIMIT_FSIZE, &file);
        return malloc(1 << 20) ? 0 : 1;
      }`,
    );
    expect(bench.record(['--', program]).status).toBe(0);
    expect(bench.lines('limits.htb').some((line) => / 1048576( ~)?$/.test(line))).toBe(true);
  });

  it('tells what the program maps for itself from the mappings of its blocks', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'maps.c',
      `${INCLUDES}
      #include <sys/mman.h>
      static char *own(void) {
        return memset(mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 16384);
      }
      int main(void) {
        for (int i = 0; i < 1000; i++) {
          memset(malloc(150000), 1, 150000);
          char *p = own(), *q = own();
          if (i % 2) munmap(p, 16384);
          if (i % 3 == 0) q = memset(mremap(q, 16384, 32768, MREMAP_MAYMOVE), 1, 32768);
        }
        if (fork() == 0) {
          memset(malloc(150000), 1, 150000);
          own();
        }
        return 0;
      }`,
    );
    const own = (500 + 1000 + 334) * 16384;
    const { processes } = bench.record(['--', program]);
    expect(processes).toHaveLength(2);
    for (const { trace } of processes) {
      const seen = /^= exit\n! .* blocks (\d+) anonymous (\d+)/m.exec(bench.text(trace))!;
      const [blocks, anonymous] = seen.slice(1).map(Number);
      expect(anonymous! - own).toBeGreaterThanOrEqual(0);
      expect(anonymous! - own).toBeLessThan(2 ** 20);
      expect(blocks! - 1000 * 151552).toBeGreaterThanOrEqual(0);
      expect(blocks! - 1000 * 151552).toBeLessThan(2 ** 20);
    }
  });

  it('tells what a fork’s child has inherited of them, whatever its parent does then', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'inherits.c',
      `${INCLUDES}
      #include <sys/mman.h>
      static char *own(void) {
        return memset(mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 16384);
      }
      int main(void) {
        static char *kept[4000];
        int ready[2];
        char c;
        if (pipe(ready)) return 1;
        for (int i = 0; i < 4000; i++) {
          kept[i] = own();
          memset(malloc(150000), 1, 1000);
        }
        if (fork() == 0) {
          close(ready[1]);
          if (read(ready[0], &c, 1)) return 2;
          memset(malloc(150000), 1, 150000); // its first: it begins to be recorded
          exit(0);
        }
        for (int i = 0; i < 4000; i++) munmap(kept[i], 16384);
        for (int i = 0; i < 100; i++) own();
        close(ready[1]);
        return wait(NULL) < 0;
      }`,
    );
    const { processes } = bench.record(['--', program]);
    expect(processes.map(({ exit }) => exit)).toEqual([0, 0]);
    const anonymous = processes.map(({ trace }) =>
      Number(/^= exit\n! .* anonymous (\d+)/m.exec(bench.text(trace))![1]),
    );
    expect(Math.abs(anonymous[0]! - 100 * 16384)).toBeLessThan(2 ** 20);
    expect(Math.abs(anonymous[1]! - 4000 * 16384)).toBeLessThan(2 ** 20);
  });

  it('is not lost when more is logged than the ring holds, by several threads at once', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'many.c',
      `${INCLUDES}
      static void *body(void *arg) {
        for (int i = 0; i < 150000; i++) free(malloc(16 + i % 500));
        return arg;
      }
      int main(void) {
        pthread_t t[4];
        for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, body, NULL);
        for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
        return 0;
      }`,
    );
    const { processes, stderr } = bench.record(['--quantum', '1000000000000', '--', program]);
    expect(stderr).not.toMatch(/not seen|cut short/);
    expect(processes[0]!.threads).toBe(5);
    const lines = bench.lines('many.htb');
    for (const thread of [1, 2, 3, 4])
      expect(lines.filter((line) => line.startsWith(`m ${thread} `))).toHaveLength(150000);
  });
});

describe('pages that were never written', () => {
  it('are not in the trace', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'sparse.c',
      `${INCLUDES}
      int main(void) {
        char *zero = calloc(1, 500u << 20), *plain = malloc(200u << 20), *full = malloc(1 << 20);
        zero[12345678] = 1;
        for (int i = 0; i < 10; i++) plain[i * 20000000L] = 1;
        memset(full, 1, 1 << 20);
        free(full);
        return 0;
      }`,
    );
    expect(bench.record(['--', program]).status).toBe(0);
    const text = bench.text('sparse.htb');
    expect(text).toMatch(/^c 0 \d+ 1 524288000 ~$/m);
    const written = [...text.matchAll(/^w 0 (\d+) (\d+) (\d+)$/gm)].map(([, id, from, length]) => ({
      id,
      from: Number(from),
      length: Number(length),
    }));
    const writesOf = (size: number) => {
      const id = new RegExp(`^[mc] 0 (\\d+) (?:1 )?${size} ~$`, 'm').exec(text)![1];
      return written.filter((write) => write.id === id);
    };
    /** Where the block begins so many bytes into a page. */
    const pagesAt = (size: number, into: number) => {
      const pageOf = (byte: number) => Math.floor((into + byte) / 4096);
      return writesOf(size).reduce((sum, { from, length }) => sum + pageOf(from + length - 1) - pageOf(from) + 1, 0);
    };
    expect(pagesAt(500 * 2 ** 20, 16)).toBeLessThanOrEqual(3);
    expect(pagesAt(200 * 2 ** 20, 16)).toBeGreaterThanOrEqual(9);
    expect(pagesAt(200 * 2 ** 20, 16)).toBeLessThanOrEqual(12);
    expect(writesOf(2 ** 20)).toMatchObject([{ from: 0, length: 2 ** 20 }]);
    // As many wherever the block lies.
    for (const into of [0, 832, 2047, 2048, 2049, 4095]) {
      expect(pagesAt(200 * 2 ** 20, into), `${into}`).toBe(pagesAt(200 * 2 ** 20, 16));
    }
  });
});

describe('processes', () => {
  it('each have a trace; a fork begins with the heap that it inherited', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'forks.c',
      `${INCLUDES}
      int main(void) {
        void *inherited = malloc(4321);
        for (int i = 0; i < 2; i++)
          if (fork() == 0) {
            free(malloc(1000 + i));
            free(inherited);
            _exit(5 + i);
          }
        while (wait(NULL) > 0) {}
        if (vfork() == 0) execl("/bin/true", "true", NULL);
        while (wait(NULL) > 0) {}
        return 0;
      }`,
    );
    const { status, processes } = bench.record(['--', program]);
    expect(status).toBe(0);
    expect(processes[0]).toMatchObject({ trace: 'forks.htb', command: 'forks', exit: 0 });
    const children = processes.filter(({ ppid, command }) => ppid === processes[0]!.pid && command === 'forks');
    expect(children.map(({ exit }) => exit).sort()).toEqual([5, 6]);
    for (const { trace, pid, exit } of children) {
      expect(trace).toBe(`forks.${pid}.htb`);
      const lines = bench.lines(trace);
      const id = lines.find((line) => line.endsWith(' 4321'))!.split(' ')[2];
      const fork = lines.indexOf('fork 0');
      expect(lines[fork + 1]).toMatch(new RegExp(`^m 0 \\d+ ${995 + exit!}$`));
      expect(lines[fork + 3]).toBe(`f 0 ${id}`);
    }
  });

  it('are followed through shells, swept environments, exec and daemons', (context) => {
    const bench = recordingBench(context);
    bench.compile('leaf.c', `${INCLUDES} int main(void) { free(malloc(7777)); return 4; }`);
    bench.compile(
      'shim.c',
      `${INCLUDES} int main(void) { char *none[] = { NULL }; free(malloc(5555)); execle("./leaf", "leaf", NULL, none); return 1; }`,
    );
    bench.compile(
      'daemon.c',
      `${INCLUDES}
      int main(void) {
        pid_t program = getpid();
        int ends[2];
        pipe(ends);
        if (fork()) return read(ends[0], ends, 1) != 1;
        if (fork()) _exit(0);
        setsid();
        free(malloc(100));
        write(ends[1], "", 1);
        while (kill(program, 0) == 0) usleep(1000); // until the recorder has waited for it
        free(malloc(6666));
        return 0;
      }`,
    );
    const holds = (size: number, processes: readonly { trace: string }[]) =>
      processes.filter(({ trace }) => bench.lines(trace).some((line) => line.endsWith(` ${size}`))).length;
    const shell = bench.record(['-o', 'shell.htb', '--', 'sh', '-c', './leaf; true']);
    expect(shell.status).toBe(0);
    expect(holds(7777, shell.processes)).toBe(1);
    const shim = bench.record(['-o', 'shim.htb', '--', './shim']);
    expect(shim.status).toBe(4);
    const { pid } = shim.processes[0]!;
    // What it was before had asked for next to nothing: it is named, and has a trace for whoever wants it.
    expect(shim.processes.map(({ command, trace }) => `${command} ${trace}`)).toEqual(['leaf shim.htb', 'shim null']);
    expect(shim.stderr).toContain(`record: shim, process ${pid}, became leaf: `);
    expect(shim.stderr).toContain('; 1 process recorded');
    const asked = bench.record(['-o', 'asked.htb', '--process', 'shim', '--', './shim']);
    expect(asked.processes).toMatchObject([{ command: 'shim', trace: 'asked.htb' }]);
    bench.compile(
      'large.c',
      `${INCLUDES} int main(void) { free(malloc(200000)); execl("./leaf", "leaf", NULL); return 1; }`,
    );
    const large = bench.record(['-o', 'large.htb', '--', './large']);
    expect(large.processes.map(({ command, trace }) => `${command} ${trace}`)).toEqual([
      'leaf large.htb',
      `large large.${large.processes[0]!.pid}.1.htb`,
    ]);
    const daemon = bench.record(['-o', 'daemon.htb', '--', './daemon']);
    expect(daemon.stderr).toMatch(/lives on and is recorded/);
    expect(holds(6666, daemon.processes)).toBe(1);
    const chosen = bench.record(['-o', 'chosen.htb', '--process', 'leaf', '--', 'sh', '-c', './leaf; ./leaf; true']);
    expect(chosen.processes.map(({ command }) => command)).toEqual(['leaf', 'leaf']);
    expect(chosen.processes[0]!.trace).toBe('chosen.htb');
  });

  it('that cannot be recorded are named', (context) => {
    const bench = recordingBench(context);
    bench.compile('fixed.c', `${INCLUDES} int main(void) { free(malloc(1)); return 0; }`, ['-static']);
    expect(bench.record(['-o', 'a.htb', '--', './fixed'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /^sim: \.\/fixed could not be recorded: it is linked statically \(.*\), expected a .*\n$/,
      ),
    });
    expect(bench.record(['-o', 'b.htb', '--', 'sh', '-c', './fixed; true']).stderr).toMatch(
      /\.\/fixed could not be recorded: it is linked statically/,
    );
  });
});
