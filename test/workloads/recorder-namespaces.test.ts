import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { INCLUDES, recordingBench } from '../helpers/recorded.ts';

/** CI machines may forbid it too: this is no tool that could be installed. */
function requireUnshare(context: TestContext, options: readonly string[]): void {
  if (spawnSync('unshare', [...options, 'true']).status === 0) return;
  console.warn(`SKIPPED ${context.task.name}: needs the right to run unshare ${options.join(' ')}`);
  context.skip('needs the right to run unshare');
}

const FAMILY = `${INCLUDES}
#include <sys/prctl.h>
static void *body(void *arg) {
  prctl(PR_SET_NAME, "worker");
  free(malloc(3333));
  return arg;
}
int main(void) {
  pthread_t t;
  int status;
  void *p = malloc(1111);
  pthread_create(&t, NULL, body, NULL);
  pthread_join(t, NULL);
  for (int i = 0; i < 200000; i++) free(malloc(64)); // more than the ring holds
  if (fork() == 0) {
    free(malloc(2222));
    exit(3);
  }
  wait(&status);
  free(p);
  return 10 * WEXITSTATUS(status) + (getpid() == 1);
}`;

describe('processes with numbers of their own', () => {
  for (const options of [['-pf'], ['-pf', '--mount-proc'], ['-Urpf'], ['-pf', 'unshare', '-pf']]) {
    it(`are recorded by those of the host: unshare ${options.join(' ')}`, (context) => {
      requireUnshare(context, options);
      const bench = recordingBench(context);
      const program = bench.compile('family.c', FAMILY);
      const { status, processes } = bench.record(['-o', 'out.htb', '--', 'unshare', ...options, program]);
      expect(status).toBe(31);
      const [unshare, ...others] = processes;
      const [parent, child] = others.filter(({ command }) => command === 'family');
      const above = others.find(({ pid }) => pid === parent!.ppid) ?? unshare!;
      expect(above).toMatchObject({ command: 'unshare', exit: 31 });
      expect(parent).toMatchObject({ exit: 31, threads: 2 });
      expect(child).toMatchObject({ exit: 3, ppid: parent!.pid });
      const pids = processes.map(({ pid }) => pid);
      expect(pids.every((pid) => pid > 1) && new Set(pids).size === pids.length).toBe(true);
      const text = bench.text(parent!.trace);
      expect(text).toMatch(/^%thread 1 worker$/m);
      expect(text).toMatch(/^m 0 \d+ 1111$/m);
      expect(bench.lines(child!.trace).some((line) => line.endsWith(' 2222'))).toBe(true);
    });
  }

  it('end at a signal, though they hear none', async (context) => {
    requireUnshare(context, ['-pf']);
    const bench = recordingBench(context);
    const program = bench.compile(
      'stays.c',
      `${INCLUDES} int main(void) { free(malloc(1000)); fclose(fopen("there", "w")); for (;;) pause(); }`,
    );
    const recorder = spawn(
      process.execPath,
      [`${import.meta.dirname}/../../dist/bench/cli.js`, 'record', '--', 'unshare', '-pf', program],
      { cwd: bench.folder, stdio: 'ignore' },
    );
    const ended = new Promise<number | null>((resolve) => recorder.on('close', resolve));
    while (!existsSync(`${bench.folder}/there`)) await new Promise((resolve) => setTimeout(resolve, 20));
    recorder.kill('SIGTERM');
    expect(await ended).toBe(137); // unshare ignores it, and the first process of a namespace too
  });

  it('are named where the keeper cannot be told who they are, and the recording ends with them', (context) => {
    requireUnshare(context, ['-pf']);
    const bench = recordingBench(context);
    const program = bench.compile('hidden.c', `${INCLUDES} int main(void) { free(malloc(4444)); return 6; }`);
    // the environment of the recorded says where its folder is
    const hide = `rm "\${ALLOCSIM_RECORD#*:}/numbers"; exec ${program}`;
    const { status, stderr, processes } = bench.record(['-o', 'out.htb', '--', 'unshare', '-pf', 'sh', '-c', hide]);
    expect(status).toBe(6);
    expect(stderr).toMatch(/process 1 of a PID namespace: its number on this host is not known/);
    const hidden = processes.find(({ pid }) => pid === 1)!;
    expect(bench.lines(hidden.trace).some((line) => line.endsWith(' 4444'))).toBe(true);
  });

  /** Programs of the host's under another root, with a /proc or without. */
  const cell = (hasProc: boolean) => `
    for folder in usr lib lib64; do mount --rbind "/$folder" "cell/$folder"; done
    ${hasProc ? 'mount -t proc proc cell/proc' : ''}
    mount --rbind cell cell; cd cell; pivot_root . old; cd /
    /inside; exit $?`;
  const INSIDE = `${INCLUDES} int main(void) {
    int status;
    free(malloc(5555));
    if (fork() == 0) { free(malloc(6666)); exit(3); }
    wait(&status);
    return 10 + WEXITSTATUS(status);
  }`;

  it('are recorded behind another root, where there is a /proc, and named elsewhere', (context) => {
    requireUnshare(context, ['-Urmpf']);
    const bench = recordingBench(context);
    bench.compile('inside.c', INSIDE);
    for (const name of ['usr', 'lib', 'lib64', 'proc', 'old'])
      mkdirSync(`${bench.folder}/cell/${name}`, { recursive: true });
    copyFileSync(`${bench.folder}/inside`, `${bench.folder}/cell/inside`);
    const record = (hasProc: boolean) =>
      bench.record(['-o', 'out.htb', '--force', '--', 'unshare', '-Urmpf', 'bash', '-ec', cell(hasProc)]);
    const { status, stderr, processes } = record(true);
    expect(stderr).not.toContain('could not be recorded');
    expect(status).toBe(13);
    const inside = processes.filter(({ command }) => command === 'inside');
    expect(inside.map(({ exit }) => exit).sort()).toEqual([13, 3]);
    const child = inside.find(({ exit }) => exit === 3)!;
    expect(bench.lines(child.trace).some((line) => line.endsWith(' 6666'))).toBe(true);
    expect(record(false)).toMatchObject({
      status: 13,
      stderr: expect.stringMatching(/\/inside could not be recorded: it is behind another root/),
    });
  });
});
