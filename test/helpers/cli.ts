import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The same file for the sources and for what is compiled from them into dist/. */
export const CLI = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../bench/cli.js' : '../../dist/bench/cli.js', import.meta.url),
);

/** Whether `npm run build` was made: commands are tested as they are shipped. */
export const CLI_BUILT = existsSync(CLI);

/** Runs the built command. */
export function sim(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', GITHUB_ACTIONS: '', ...environment },
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}
