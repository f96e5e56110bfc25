import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { UserError } from '../../sim/contract/assert.ts';
import { recordProgram, recorderObstacle } from '../../workloads/recorder/recorder.ts';
import { traceStatistics } from '../../workloads/trace/statistics.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { requireThat } from '../helpers/require.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const PROGRAM = `
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
static void *shared;
static void *body(void *arg) {
	void *p = malloc(1111);
	shared = realloc(p, 2222);
	for (int i = 0; i < 1000; i++) free(malloc(3333 + i));
	return arg;
}
int main(void) {
	void *q;
	if (fork() == 0) { free(malloc(9999)); _exit(0); }
	wait(NULL);
	free(calloc(77, 7));
	if (posix_memalign(&q, 256, 4444)) return 1;
	pthread_t t;
	pthread_create(&t, NULL, body, NULL);
	pthread_join(t, NULL);
	free(shared);
	free(NULL);
	q = realloc(q, 0);
	return 3;
}`;

function compiledProgram(context: TestContext): string {
  requireThat(context, recorderObstacle() === undefined, `${recorderObstacle()}`);
  const folder = temporaryFolder();
  writeFileSync(`${folder}/program.c`, PROGRAM);
  const cc = spawnSync('cc', ['-O0', '-pthread', '-o', `${folder}/program`, `${folder}/program.c`], {
    encoding: 'utf8',
  });
  expect(cc.stderr).not.toContain('error');
  return `${folder}/program`;
}

const options = { capacity: 100000, quantumNs: 1e12, samples: 0, stdout: 'stderr' } as const;

describe('the recorder', () => {
  it('sees every call of every thread in one order, and nothing of a child', async (context) => {
    const program = compiledProgram(context);
    const { events, oddities, ended } = await recordProgram({ ...options, command: [program] });
    const lines = Buffer.concat([...formatTrace(events)])
      .toString()
      .split('\n');
    expect(ended).toBe('exit code 3');
    expect(oddities).toEqual({});
    expect(lines.some((line) => line.endsWith(' 9999'))).toBe(false);
    const at = lines.findIndex((line) => /^c 0 \d+ 77 7$/.test(line));
    const own = lines.slice(at).filter((line) => !/^c 0 \d+ \d+ 16$/.test(line)); // the thread's dtv
    const id = (line: string | undefined) => line?.split(' ')[2];
    expect(own[1]).toBe(`f 0 ${id(own[0])}`);
    expect(own[2]).toMatch(/^a 0 \d+ 256 4444$/);
    expect(own[3]).toMatch(/^m 1 \d+ 1111$/);
    expect(own[4]).toBe(`r 1 ${id(own[3])} 2222`);
    expect(own[5]).toMatch(/^m 1 \d+ 3333$/);
    expect(own.slice(-5)).toEqual(['te 1', `f 0 ${id(own[3])}`, `f 0 ${id(own[2])}`, '= end', '']);
    expect(traceStatistics(events)).toMatchObject({ threads: 2, eventCounts: { te: 1 } });
  });

  it('says what there was no room for', async (context) => {
    const program = compiledProgram(context);
    const { events, oddities } = await recordProgram({ ...options, capacity: 100, command: [program] });
    expect(events.length).toBeLessThan(110);
    expect(oddities['calls beyond the room of the log']).toBeGreaterThan(1500);
  });

  it('refuses what it can not run', async (context) => {
    requireThat(context, recorderObstacle() === undefined, `${recorderObstacle()}`);
    await expect(recordProgram({ ...options, command: ['/none/such'] })).rejects.toThrow(UserError);
  });
});
