import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { INCLUDES, recordingBench } from '../helpers/recorded.ts';

const HAS_CALLS = `${INCLUDES} int main(void) { for (int i = 0; i < 500; i++) free(malloc(4000 + i)); return 6; }`;

describe('limits', () => {
  for (const limit of ['-f 100', '-n 16', '-v 500000']) {
    it(`of the program do not touch its recording: ulimit ${limit}`, (context) => {
      const bench = recordingBench(context);
      const program = bench.compile('limited.c', HAS_CALLS);
      const { status, processes } = bench.record(['--', 'sh', '-c', `ulimit ${limit}; exec ${program}`]);
      expect(status).toBe(6);
      const { trace } = processes.find(({ command }) => command === 'limited')!;
      const sizes = bench.lines(trace).filter((line) => / 4[0-4]\d\d$/.test(line));
      expect(sizes.length).toBe(500);
    });
  }

  it('of the recorder end the recording with a word, and the program goes on', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'fills.c',
      `${INCLUDES} int main(void) { for (int i = 0; i < 3000000; i++) free(malloc(1000 + i % 1000)); puts("went on"); return 6; }`,
    );
    const cli = `${import.meta.dirname}/../../dist/bench/cli.js`;
    // blocks of 512 bytes: less than a ring takes, and less than the log
    for (const blocks of [6000, 10000]) {
      const command = ['-c', `ulimit -f ${blocks}; exec "$@"`, 'sh', process.execPath, cli, 'record', '--force', '--'];
      const { stdout, stderr } = spawnSync('sh', [...command, program], {
        cwd: bench.folder,
        encoding: 'utf8',
        env: { ...process.env, TMPDIR: bench.temporaries, POSIXLY_CORRECT: '1' },
      });
      expect(stdout).toBe('went on\n');
      expect(stderr).toMatch(/the logs can not be written: file too large: the recording ends here/);
    }
  });
});

it('what a recorder that was killed has left goes with the next recording, what others have stays', (context) => {
  const bench = recordingBench(context);
  const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0];
  const gone = spawnSync('true').pid;
  const left = `allocsim-record-${namespace}-${gone}-abcdef`;
  const others = [`allocsim-record-${namespace}-${process.pid}-abcdef`, `allocsim-record-1-${gone}-abcdef`];
  for (const name of [left, ...others]) mkdirSync(`${bench.temporaries}/${name}`);
  writeFileSync(`${bench.temporaries}/${left}/4711.0`, 'log');
  bench.record(['--', '/bin/true']);
  expect(readdirSync(bench.temporaries).sort()).toEqual(others.sort());
});

const JAIL = `${INCLUDES}
  int main(int argc, char **argv) {
    int status;
    if (argc > 1) for (int fd = 3; fd < 1024; fd++) close(fd);
    chroot("/none");
    if (chroot("cell")) return 9;
    free(malloc(2222));
    if (fork() == 0) {
      free(malloc(3333));
      execl("/jail", "jail", NULL);
      exit(2);
    }
    wait(&status);
    return 4 + WEXITSTATUS(status);
  }`;

/** Of a program that a user without rights to it was not let do. */
function requireChroot(context: TestContext, status: number | null): void {
  if (status !== 9) return;
  console.warn(`SKIPPED ${context.task.name}: needs the right to chroot`);
  context.skip('needs the right to chroot');
}

describe('chroot', () => {
  it('forks behind it are recorded', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile('jail.c', JAIL);
    mkdirSync(`${bench.folder}/cell`);
    const { status, stderr, processes } = bench.record(['--', program]);
    requireChroot(context, status);
    expect(status).toBe(6);
    expect(stderr).not.toContain('none');
    expect(stderr).not.toContain('chroot');
    const [parent, child] = processes;
    expect(child).toMatchObject({ ppid: parent!.pid, command: 'jail', exit: 2 });
    expect(bench.lines(parent!.trace).some((line) => line.endsWith(' 2222'))).toBe(true);
    expect(bench.lines(child!.trace).some((line) => line.endsWith(' 3333'))).toBe(true);
  });

  it('is named where a process has closed what leads to the recorder', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile('jail.c', JAIL);
    mkdirSync(`${bench.folder}/cell`);
    const { status, stderr } = bench.record(['--', program, 'closes']);
    requireChroot(context, status);
    expect(status).toBe(6);
    expect(stderr).toMatch(/^record: cell: what a process starts or forks behind chroot\(\) is not recorded/m);
    expect(bench.lines('jail.htb').some((line) => line.endsWith(' 2222'))).toBe(true);
  });
});
