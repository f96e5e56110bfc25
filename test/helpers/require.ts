import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';

/**
 * What a test needs of its machine. Where it is missing, the test is skipped and says so; under CI it fails instead,
 * because a check that did not run is no check.
 */
export function requireTool(context: TestContext, tool: string): void {
  requireThat(context, spawnSync(tool, ['--version']).error === undefined, `needs ${tool}, which is not installed`);
}

/** The shared recorded traces beside the checkout; returns the path of the folder. */
export function requireShared(context: TestContext, path: string): string {
  const full = fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
  requireThat(context, existsSync(full), `needs ../shared/${path}`);
  return full;
}

export function requireThat(context: TestContext, present: boolean, needed: string): void {
  if (present) return;
  if (process.env['CI']) throw new Error(`skipped under CI: ${needed}`);
  console.warn(`SKIPPED ${context.task.name}: ${needed}`);
  context.skip(needed);
}
