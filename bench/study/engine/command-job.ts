import { createHash } from 'node:crypto';
import { buildIdentity } from '../parallel/build-identity.ts';
import { canonicalPlain } from '../parallel/plain-json.ts';

/** A whole command that a worker executes, in a folder that holds its files and nothing else. */
export interface CommandJob {
  readonly args: readonly string[];
  /** By name, relative to the folder; base64. */
  readonly files: Readonly<Record<string, string>>;
  /** Width of the terminal that its text is for. */
  readonly columns: number;
  /** Its standard input. */
  readonly stdin: string;
  /** Files that the command writes there. */
  readonly outputs: readonly string[];
}

export interface CommandOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly outputs: Readonly<Record<string, string>>;
}

export function commandKey(job: CommandJob): string {
  return createHash('sha256').update(buildIdentity()).update('\0command\0').update(canonicalPlain(job)).digest('hex');
}
