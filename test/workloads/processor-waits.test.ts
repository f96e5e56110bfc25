import { expect, test } from 'vitest';
import { PROCESSOR_WAITS, processorWaits } from '../../workloads/trace/processor-waits.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { recordingBench } from '../helpers/recorded.ts';

const told = (text: string) => new RegExp(`^%machine ${PROCESSOR_WAITS} (\\d+)$`, 'm').exec(text)?.[1];

test('a recording of one thread has for how long that waited for a processor', (context) => {
  const bench = recordingBench(context);
  // It works for 100 ms of processor time beside a child that wants the same processor all the time; with a second thread nothing is said.
  const program = bench.compile(
    'waits.c',
    `#define _GNU_SOURCE
    #include <pthread.h>
    #include <sched.h>
    #include <signal.h>
    #include <stdlib.h>
    #include <time.h>
    #include <unistd.h>
    static void *nothing(void *p) { free(malloc(10)); return p; }
    int main(int argc, char **argv) {
      cpu_set_t all, one;
      sched_getaffinity(0, sizeof all, &all);
      CPU_ZERO(&one);
      for (int i = 0; i < CPU_SETSIZE; i++) if (CPU_ISSET(i, &all)) { CPU_SET(i, &one); break; }
      sched_setaffinity(0, sizeof one, &one);
      pid_t child = fork();
      if (child == 0) for (;;) ;
      while (clock() < CLOCKS_PER_SEC / 10) for (int i = 0; i < 1000; i++) free(malloc(100));
      kill(child, SIGKILL);
      pthread_t t;
      if (argc > 1 && pthread_create(&t, NULL, nothing, NULL) == 0) pthread_join(t, NULL);
      return 0;
    }`,
  );
  const recorded = (...args: string[]) => {
    const trace = bench.record(['--force', '--', program, ...args]).processes[0]!.trace;
    return told(bench.text(trace));
  };
  expect(Number(recorded())).toBeGreaterThan(10_000_000);
  expect(recorded('threads')).toBeUndefined();
});

test('a trace that does not say it has none', () => {
  expect(processorWaits(eventsOf(['m 0 1 8']))).toBe(0);
  expect(processorWaits(eventsOf([`%machine ${PROCESSOR_WAITS} 5100`, 'm 0 1 8']))).toBe(5100);
});
