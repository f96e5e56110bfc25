import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { IDLE_AT_EXIT, idleAtExit } from '../../workloads/trace/idle-at-exit.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { recordingBench } from '../helpers/recorded.ts';

const idle = (text: string) => Number(new RegExp(`^%machine ${IDLE_AT_EXIT} (\\d+)$`, 'm').exec(text)![1]);

test('a recording has the time from when the last free of a large block came back', (context) => {
  const bench = recordingBench(context);
  // The free unmaps 200 MB, which takes milliseconds; then it waits, or not.
  const program = bench.compile(
    'unmaps.c',
    `#include <stdlib.h>
    #include <string.h>
    #include <unistd.h>
    int main(int argc, char **argv) {
      char *volatile block = malloc(200000000);
      memset(block, 1, 200000000);
      free(block);
      if (argc > 1) usleep(300000);
      return 0;
    }`,
  );
  const recorded = (...args: string[]) => idle(bench.text(bench.record(['--', program, ...args]).processes[0]!.trace));
  expect(recorded('waits')).toBeGreaterThanOrEqual(300_000_000);
  expect(recorded()).toBeLessThan(300_000_000);
});

test('a trace that does not say it leaves the time of the events', () => {
  expect(idleAtExit(eventsOf(['m 0 1 8']))).toBe(Infinity);
  expect(idleAtExit(eventsOf([`%machine ${IDLE_AT_EXIT} 5100`, 'm 0 1 8']))).toBe(5100);
});

test('it is told where the exit begins, not among the facts of the machine', () => {
  const cli = `${import.meta.dirname}/../../dist/bench/cli.js`;
  const input = `%htrace 2\n%machine cpus 2\n%machine ${IDLE_AT_EXIT} 51000\nm 0 1 8\nexit 0\n`;
  const { stdout } = spawnSync(process.execPath, [cli, 'trace', 'info', '-'], { input, encoding: 'utf8' });
  expect(stdout).toMatch(/^ *machine +cpus=2$/m);
  expect(stdout.replace(/\s+/g, ' ')).toContain('exit begins event 1, 51.0 µs behind the last free of a large block');
});
