import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runVirtual } from '../../bench/run/modes/virtual.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { INCLUDES, recordingBench } from '../helpers/recorded.ts';

/** Who makes a thread and who waits for it, of a trace: the lines in their order. */
const order = (lines: readonly string[]) =>
  lines.filter((line) => /^(tc|tj|tb|te|fork) /.test(line)).map((line) => line.replace(/^(tj \d+ \d+) \d+$/, '$1'));

test('who makes a thread and who waits for its end is recorded, of C11, timed and cancelled waits and a fork too', (context) => {
  const bench = recordingBench(context);
  const program = bench.compile(
    'joins.c',
    `#define _GNU_SOURCE
    ${INCLUDES}
    #include <sys/wait.h>
    #include <threads.h>
    #include <time.h>
    #include <unistd.h>
    static int eleven(void *arg) { free(malloc(100)); return 3; }
    static void *body(void *arg) { free(malloc(77)); return arg; }
    static void *sleeper(void *arg) { free(malloc(5)); for (;;) sleep(1); }
    static void *waits(void *arg) { free(malloc(6)); pthread_join(*(pthread_t *)arg, NULL); return arg; }
    int main(void) {
      thrd_t first;
      int answer;
      thrd_create(&first, eleven, NULL);
      thrd_join(first, &answer);
      if (answer != 3) return 1;
      pthread_t a, b;
      pthread_create(&a, NULL, sleeper, NULL);
      usleep(50000);
      pthread_create(&b, NULL, waits, &a);
      usleep(50000);
      pthread_cancel(b);
      if (pthread_join(b, NULL)) return 2;
      struct timespec until = { 0, 0 };
      if (pthread_timedjoin_np(a, NULL, &until) != ETIMEDOUT || pthread_tryjoin_np(a, NULL) != EBUSY) return 3;
      pthread_cancel(a);
      if (pthread_join(a, NULL)) return 4;
      pid_t child = fork();
      if (child == 0) {
        pthread_create(&a, NULL, body, NULL);
        pthread_join(a, NULL);
        free(malloc(9));
        exit(0);
      }
      waitpid(child, NULL, 0);
      return 0;
    }`,
  );
  const { status, processes } = bench.record(['--', program]);
  expect(status).toBe(0);
  const parent = [
    'tc 0 1',
    'tb 1',
    'te 1',
    'tj 0 1',
    'tc 0 2',
    'tb 2',
    'tc 0 3',
    'tb 3',
    'te 3',
    'tj 0 3',
    'te 2',
    'tj 0 2',
  ];
  expect(order(bench.lines('joins.htb'))).toEqual(parent);
  const child = processes.find(({ trace }) => trace !== 'joins.htb')!.trace;
  const lines = order(bench.lines(child));
  const number = lines.at(-1)!.split(' ')[2];
  expect(lines).toEqual([...parent, 'fork 0', `tc 0 ${number}`, `tb ${number}`, `te ${number}`, `tj 0 ${number}`]);
});

test('rounds of recorded threads hold no more at once at full speed than they did', async (context) => {
  const bench = recordingBench(context);
  const program = bench.compile(
    'rounds.cc',
    `#include <thread>
    #include <vector>
    int main() {
      for (int round = 0; round < 5; round++) {
        std::vector<std::vector<void *>> all(3, std::vector<void *>(300));
        std::vector<std::thread> threads;
        for (auto &mine : all) threads.emplace_back([&mine] { for (auto &p : mine) p = operator new(3000); });
        for (auto &thread : threads) thread.join();
        for (auto &mine : all) for (auto p : mine) operator delete(p);
      }
    }`,
  );
  expect(bench.record(['--', program]).status).toBe(0);
  const parser = createTraceParser({ source: 'rounds' });
  parser.push(new TextEncoder().encode(bench.text('rounds.htb')));
  const events = parser.finish();
  const options = { events, workload: 'rounds', spec: parseAllocator('glibc', 4), cpus: 4, pace: 'asap' as const };
  const { summary } = await runVirtual(options);
  // Between two joins all blocks of a round live, in whatever order; beside them a few states of threads.
  expect(summary.requestedPeakBytes).toBeLessThan(events.requestedPeakBytes + 3000);
});
