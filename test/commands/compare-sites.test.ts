import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const CLI = `${import.meta.dirname}/../../dist/bench/cli.js`;

const TRACE = [
  '%htrace 2',
  '%source recorded with LD_PRELOAD, linux x64',
  '%frame 1 fill\ta.c:3\ta',
  '%site 1 0 1',
  ...Array.from({ length: 50 }, (_, i) => `m 0 ${i} 5000 @1`),
  'exit 0',
].join('\n');

test.each([[], ['--at', 'judged'], ['--plot']])('compare --sites reads a pipe once: %s %s', (...options: string[]) => {
  const args = [CLI, 'compare', '-', '--allocators', 'glibc,jemalloc', '--sites', ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { input: `${TRACE}\n`, encoding: 'utf8' });
  expect(stderr).not.toMatch(/error|expected/i);
  expect(status).toBe(0);
  expect(stdout).toContain('a.c:3');
});
