import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { CLI, CLI_BUILT } from '../helpers/cli.ts';
import { requireThat } from '../helpers/require.ts';

test('a reader of the output that has seen enough is no error', { timeout: 60_000 }, (context) => {
  requireThat(context, CLI_BUILT, 'needs the built commands: npm run build');
  const command = `("$0" "$1" run rows --mode=lockstep --json; echo "exit code $?" >&2) | head -c 1`;
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, CLI], { encoding: 'utf8' });
  expect(stdout).toBe('{');
  expect(stderr).toBe('exit code 0\n');
});
