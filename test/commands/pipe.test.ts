import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLI, CLI_BUILT } from '../helpers/cli.ts';
import { interrupt } from '../helpers/interrupt.ts';
import { requireThat } from '../helpers/require.ts';

test('a reader of the output that has seen enough is no error', { timeout: 60_000 }, (context) => {
  requireThat(context, CLI_BUILT, 'needs the built commands: npm run build');
  const command = `("$0" "$1" run rows --mode=lockstep --json; echo "exit code $?" >&2) | head -c 1`;
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, CLI], { encoding: 'utf8' });
  expect(stdout).toBe('{');
  expect(stderr).toBe('exit code 0\n');
});

const TRACE = '%htrace 1\nm 1 1 100\n';

test.runIf(CLI_BUILT).each([
  ['compare', ['--allocators', 'glibc,jemalloc']],
  ['sweep', ['--grid', 'arena_max=1,2']],
])('%s of several seeds reads its standard input once', { timeout: 60_000 }, (command, options) => {
  const args = [CLI, command, '-', ...options, '--mode=virtual', '--seeds=3', '--json'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', input: TRACE });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(JSON.parse(stdout).seeds).toEqual([0, 1, 2]);
});

function withPipe<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-test-'));
  spawnSync('mkfifo', [join(folder, 'pipe')]);
  return use(folder);
}

test('a named pipe is written as soon as it has a reader', { timeout: 60_000 }, (context) => {
  requireThat(context, CLI_BUILT, 'needs the built commands: npm run build');
  withPipe((folder) => {
    try {
      const script = '(sleep 1; cat pipe) & "$0" "$1" run - --quiet --json pipe; echo "exit code $?"; wait';
      const options = { cwd: folder, encoding: 'utf8', input: TRACE } as const;
      const { stdout } = spawnSync('sh', ['-c', script, process.execPath, CLI], options);
      const text = stdout.replace(/exit code 0\n/, '');
      expect(stdout).toContain('exit code 0\n');
      expect(JSON.parse(text)).toHaveProperty('schema');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test('a signal is heard while nobody reads a named pipe', { timeout: 60_000 }, async (context) => {
  requireThat(context, CLI_BUILT, 'needs the built commands: npm run build');
  await withPipe(async (folder) => {
    try {
      // The rest of the command has run out of work by then.
      const args = ['run', 'rows:rounds=1', '--quiet', '--json', 'pipe'];
      const started = Date.now();
      const ready = () => Date.now() - started > 1500;
      const ended = await interrupt(args, { cwd: folder, signal: 'SIGTERM', afterMs: 0, ready });
      expect(ended).toMatchObject({ code: 130, wasOver: false, left: [] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
