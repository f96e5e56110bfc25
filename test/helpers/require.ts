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

/** A file or folder of the recorded traces beside the checkout, which are no part of it: their lack fails nowhere. */
export function requireShared(context: TestContext, path: string): string {
  const full = fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
  if (!existsSync(full)) skip(context, `needs ../shared/${path}`);
  return full;
}

export function requireThat(context: TestContext, present: boolean, needed: string): void {
  if (present) return;
  if (process.env['CI']) throw new Error(`skipped under CI: ${needed}`);
  skip(context, needed);
}

function skip(context: TestContext, needed: string): never {
  console.warn(`SKIPPED ${context.task.name}: ${needed}`);
  return context.skip(needed);
}
