import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { INCLUDES, type RecordingBench, recordingBench } from '../helpers/recorded.ts';
import { requireThat } from '../helpers/require.ts';

/** What recorders that have ended left in the folders for temporary files; others may be at work. */
const temporaries = (bench: RecordingBench) =>
  [bench.temporaries, '/dev/shm']
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
    .filter((name) => /^allocsim-(record|rings)-/.test(name))
    .filter((name) => !existsSync(`/proc/${name.split('-')[3]}`));

/** Waits until the set of the process's signals has SIGUSR2, or not. */
async function untilSignals(pid: number, set: 'SigCgt' | 'ShdPnd', present: boolean): Promise<void> {
  for (;;) {
    const [, bits] = new RegExp(`^${set}:\\s+(\\w+)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
    if (((BigInt(`0x${bits}`) >> BigInt(constants.signals.SIGUSR2 - 1)) & 1n) === (present ? 1n : 0n)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function untilThere(file: string): Promise<void> {
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the command', () => {
  it('ends a daemon at --stop-after, though its master never allocates', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'master.c',
      `${INCLUDES}
      int main(void) {
        if (fork()) return 0;
        setsid();
        int fd = open("master", O_WRONLY | O_CREAT, 0600);
        dprintf(fd, "%d", getpid());
        if (fork()) for (;;) pause();
        for (;;) { free(malloc(100)); usleep(100); }
      }`.replace('#include <errno.h>', '#include <errno.h>\n#include <fcntl.h>'),
    );
    const { status } = bench.record(['--stop-after', '500', '--', program]);
    expect(status).toBe(0);
    expect(existsSync(`/proc/${readFileSync(`${bench.folder}/master`, 'utf8')}`)).toBe(false);
  });

  it('refuses what it would spoil, and what it can not run', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile('once.c', `${INCLUDES} int main(void) { free(malloc(10)); return 0; }`);
    const before = temporaries(bench);
    writeFileSync(`${bench.folder}/notes.txt`, 'mine\n');
    expect(bench.record(['-o', 'notes.txt', '--', program])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^sim: notes\.txt: found a file that is no trace/),
    });
    expect(readFileSync(`${bench.folder}/notes.txt`, 'utf8')).toBe('mine\n');
    expect(bench.record(['--', program]).status).toBe(0);
    expect(bench.record(['--no-force', '--', program])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/found a trace, expected another name/),
    });
    expect(bench.record(['--', '/none/such'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/found no such program/),
    });
    expect(bench.record(['-o', 'once.doc', '--', program]).stderr).toMatch(/^sim: once\.doc: found the ending \.doc/);
    expect(bench.record(['-o', 'none/once.htb', '--', program]).stderr).toMatch(
      /^sim: none\/once\.htb: found no such folder/,
    );
    expect(bench.record(['--process', 'nobody', '--', program]).stderr).toMatch(
      /^sim: --process: found none that it names, expected `largest` or one of once \(\d+\)$/m,
    );
    expect(bench.record(['once.htb', '--', program])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/before --/),
    });
    expect(bench.record(['--', 'sh', '-c', 'kill -9 $$']).status).toBe(137);
    const left = temporaries(bench).filter((name) => !before.includes(name));
    expect(left).toEqual([]);
  });

  it('ends the program at SIGTERM and keeps the trace; SIGUSR2 marks a sample', async (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'forever.c',
      `${INCLUDES} int main(void) { for (int i = 0;; i++) { free(malloc(1000)); usleep(1000); if (i == 200) puts("x"), fflush(stdout); } }`,
    );
    const recorder = spawn(
      process.execPath,
      [`${import.meta.dirname}/../../dist/bench/cli.js`, 'record', '--samples', '0', '--', program],
      { cwd: bench.folder, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const ended = new Promise<number | null>((resolve) => recorder.on('close', resolve));
    await new Promise((resolve) => recorder.stdout!.once('data', resolve));
    await untilSignals(recorder.pid!, 'SigCgt', true);
    recorder.kill('SIGUSR2');
    await untilSignals(recorder.pid!, 'ShdPnd', false);
    recorder.kill('SIGTERM');
    expect(await ended).toBe(143);
    const text = bench.text('forever.htb');
    expect(text).toMatch(/^= mark1\n! VmRSS \d+ RssAnon \d+ /m);
    expect(bench.lines('forever.htb').length).toBeGreaterThan(100);
  });

  it('looks when the program has given back what it gives back', async (context) => {
    const bench = recordingBench(context);
    const allocator = bench.compile(
      'slow.c',
      `${INCLUDES}
      #include <sys/mman.h>
      int malloc_trim(size_t pad) {
        char *p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(p, 1, 64 << 20);
        fclose(fopen("there", "w"));
        while (access("on", F_OK)) usleep(10000);
        munmap(p, 64 << 20);
        return 1;
      }`,
      ['-shared', '-fPIC'],
    );
    const program = bench.compile('trims.c', `${INCLUDES} int main(void) { return 5 + malloc_trim(0); }`, [
      `${bench.folder}/${allocator}`,
    ]);
    const recorder = spawn(
      process.execPath,
      [`${import.meta.dirname}/../../dist/bench/cli.js`, 'record', '--samples', '0', '--', program],
      { cwd: bench.folder, stdio: 'ignore' },
    );
    const ended = new Promise<number | null>((resolve) => recorder.on('close', resolve));
    await untilThere(`${bench.folder}/there`);
    await untilSignals(recorder.pid!, 'SigCgt', true);
    recorder.kill('SIGUSR2');
    await untilSignals(recorder.pid!, 'ShdPnd', false);
    await new Promise((resolve) => setTimeout(resolve, 200)); // in which the keeper would look
    writeFileSync(`${bench.folder}/on`, '');
    expect(await ended).toBe(6);
    const [, residentBytes] = /^= mark1\n! VmRSS (\d+)/m.exec(bench.text('trims.htb'))!;
    expect(Number(residentBytes)).toBeLessThan(32 * 2 ** 20);
  });

  it('keeps the traces of all processes when its terminal goes away', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'waits.c',
      `${INCLUDES} 
      int main(void) {
        int ends[2];
        pipe(ends);
        int is_child = fork() == 0;
        free(malloc(1000));
        if (is_child) write(ends[1], "", 1);
        else if (read(ends[0], ends, 1) == 1) fclose(fopen("there", "w"));
        for (;;) pause();
      }`,
    );
    const terminal = bench.compile(
      'terminal.c',
      `${INCLUDES}
      #include <pty.h>
      int main(int argc, char **argv) {
        int master, status;
        pid_t pid = forkpty(&master, NULL, NULL, NULL);
        if (pid == 0) return execv(argv[1], argv + 1);
        while (access("there", F_OK)) usleep(10000);
        close(master);
        waitpid(pid, &status, 0);
        printf("signal %d exit %d\\n", WTERMSIG(status), WEXITSTATUS(status));
      }`,
      ['-lutil'],
    );
    const cli = `${import.meta.dirname}/../../dist/bench/cli.js`;
    const command = [process.execPath, cli, 'record', '--json', 'list.json', '--', program];
    const env = { ...process.env, TMPDIR: bench.temporaries };
    const { stdout } = spawnSync(terminal, command, { cwd: bench.folder, encoding: 'utf8', env });
    expect(stdout).toBe(`signal ${constants.signals.SIGHUP} exit 0\n`);
    const { processes } = JSON.parse(readFileSync(`${bench.folder}/list.json`, 'utf8'));
    expect(processes).toMatchObject([{ command: 'waits' }, { command: 'waits' }]);
    for (const { trace } of processes) expect(bench.lines(trace).some((line) => / 1000$/.test(line))).toBe(true);
    expect(readdirSync(bench.temporaries)).toEqual([]);
  });

  const CLI = `${import.meta.dirname}/../../dist/bench/cli.js`;
  const STAYS = `${INCLUDES}
    int main(void) {
      free(malloc(1000));
      fclose(fopen("there", "w"));
      while (access("on", F_OK)) usleep(10000);
      raise(SIGHUP);
      free(malloc(2000));
      return 7;
    }`;

  /** Of nohup two things are left for the recorder to see. */
  const nohups = {
    'the name that the shell left': (command: readonly string[], cwd: string) =>
      spawn('bash', ['-c', 'nohup "$@" & echo $! > pid; wait $!', 'bash', ...command], { cwd, stdio: 'ignore' }),
    'the input that cannot be read': (command: readonly string[], cwd: string) => {
      const { _, ...env } = process.env;
      const input = openSync('/dev/null', 'w');
      const child = spawn(command[0]!, command.slice(1), { cwd, env, stdio: [input, 'ignore', 'ignore'] });
      closeSync(input);
      writeFileSync(`${cwd}/pid`, `${child.pid}`);
      return child;
    },
  };

  for (const [trace, start] of Object.entries(nohups)) {
    it(`goes on under nohup, and its program too: ${trace}`, async (context) => {
      const bench = recordingBench(context);
      requireThat(
        context,
        spawnSync('bash', ['-c', 'nohup true'], { stdio: 'ignore' }).status === 0,
        'needs bash and nohup',
      );
      const program = bench.compile('stays.c', STAYS);
      const started = start([process.execPath, CLI, 'record', '--', program], bench.folder);
      const ended = new Promise<number | null>((resolve) => started.on('close', resolve));
      await untilThere(`${bench.folder}/there`);
      process.kill(Number(readFileSync(`${bench.folder}/pid`, 'utf8')), 'SIGHUP');
      writeFileSync(`${bench.folder}/on`, '');
      expect(await ended).toBe(7);
      expect(bench.lines('stays.htb').some((line) => line.endsWith(' 2000'))).toBe(true);
    });
  }

  it('leaves nothing behind where a signal comes before the program runs', async (context) => {
    const bench = recordingBench(context);
    const compiler = `#!/bin/sh\ntouch '${bench.folder}/compiles'\nwhile ! [ -e '${bench.folder}/on' ]; do sleep 0.05; done\nPATH=$OLD exec cc "$@"\n`;
    writeFileSync(`${bench.folder}/cc`, compiler, { mode: 0o755 });
    const path = process.env['PATH']!;
    const recorder = spawn(
      process.execPath,
      [`${import.meta.dirname}/../../dist/bench/cli.js`, 'record', '--', 'sleep', '1000'],
      {
        cwd: bench.folder,
        stdio: 'ignore',
        env: {
          ...process.env,
          TMPDIR: bench.temporaries,
          XDG_CACHE_HOME: bench.folder,
          OLD: path,
          PATH: `${bench.folder}:${path}`,
        },
      },
    );
    const ended = new Promise<number | null>((resolve) => recorder.on('close', resolve));
    await untilThere(`${bench.folder}/compiles`);
    recorder.kill('SIGTERM');
    writeFileSync(`${bench.folder}/on`, '');
    expect(await ended).toBe(143);
    expect(temporaries(bench).filter((name) => name.includes(`-${recorder.pid}-`))).toEqual([]);
  });

  it('ends the recording at --disk, and the program with it at --stop-after', (context) => {
    const bench = recordingBench(context);
    const busy = bench.compile(
      'busy.c',
      `${INCLUDES} int main(void) { for (int i = 0; i < 2000000; i++) free(malloc(16 + i % 999)); return 6; }`,
    );
    const forever = bench.compile(
      'endless.c',
      `${INCLUDES} int main(void) { for (;;) { free(malloc(1000)); usleep(100); } }`,
    );
    const disk = bench.record(['--disk', '1M', '--', busy]);
    expect(disk).toMatchObject({
      status: 6,
      stderr: expect.stringMatching(/reached --disk: the recording ends here, the program goes on/),
    });
    expect(disk.processes[0]!.events).toBeGreaterThan(10000);
    expect(bench.record(['--stop-after', '500', '--', forever]).status).toBe(0);
    expect(bench.record(['--stop-after', '400ms', '--', forever]).processes[0]!.events).toBeGreaterThan(100);
  });
});
