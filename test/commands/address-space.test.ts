import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CLI } from '../helpers/cli.ts';

const SAMPLE = 'workloads/samples/lanczos-3-sizes.htrace.gz';
const LIMIT_KIB = 4 * 2 ** 20;

function limited(args: readonly string[], limitKib = LIMIT_KIB) {
  const script = `ulimit -v ${limitKib}; exec "$@"`;
  return spawnSync('sh', ['-c', script, 'sh', process.execPath, CLI, ...args], { encoding: 'utf8' });
}

test.each([
  ['run', 'lanczos-32t', '--quiet'],
  ['explain', SAMPLE],
  ['compare', SAMPLE, '--allocators', 'glibc,jemalloc'],
  ['sweep', SAMPLE, '--grid', 'arena_max=1,2'],
])('with an address space of 4 GiB there is an answer: %s', (...args) => {
  const { status, stderr } = limited(args);
  expect(stderr).not.toMatch(/sim:|Fatal/);
  expect(status).toBe(0);
});

test('a small archive with more events than there is room for is refused on the way', () => {
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-test-'));
  try {
    const file = join(folder, 'many.htrace.gz');
    const part = gzipSync('+ 1\n'.repeat(2 ** 20));
    writeFileSync(file, Buffer.concat([gzipSync('%htrace 1\n'), ...Array.from({ length: 128 }, () => part)]));
    const { status, stderr } = limited(['trace', 'check', file], 2 * 2 ** 20);
    // Who counts the rows, or who watches the process, whoever sees it first.
    expect(stderr).toMatch(
      /^sim: .*found .*, expected .*: .* are left of 2\.00 GiB in the address space \(ulimit -v\)\n$/,
    );
    expect(status).toBe(2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('real threads do not fit, and that is said', () => {
  const { status, stderr } = limited(['run', SAMPLE, '--mode', 'threads']);
  expect(status).toBe(2);
  expect(stderr).toBe(
    'sim: --mode threads: found an address space of 4.00 GiB (ulimit -v), expected 16.0 GiB or no limit\n',
  );
});

test('where Node itself has too little, that is said before it ends', () => {
  const { status, stderr } = limited(['run', SAMPLE], 2 ** 20);
  expect(status).toBe(2);
  expect(stderr).toBe(
    'sim: found an address space of 1.00 GiB (ulimit -v), expected 1.50 GiB or no limit: Node reserves as much\n',
  );
});

test.each([20, 40, 70, 200])('where too few files may be open, %i, that is one line', (limit) => {
  const command = ['run', SAMPLE, '--mode', 'threads', '--json'];
  const script = `ulimit -n ${limit}; exec "$@"`;
  const args = ['-c', script, 'sh', process.execPath, CLI, ...command];
  const { status, stderr } = spawnSync('sh', args, { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^sim: .*\(ulimit -n\).*\n$/);
});
