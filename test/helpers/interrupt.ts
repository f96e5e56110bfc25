import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLI } from './cli.ts';

export interface Interrupted {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** It had come to its end before the signal was sent. */
  readonly wasOver: boolean;
  /** Processor time between the signal and the end, as far as it was seen: a busy machine does not lengthen it. */
  readonly processorMs: number;
  /** The same from its start on. */
  readonly tookMs: number;
  /** What it had left in the folder for temporary files. */
  readonly left: readonly string[];
}

const LOOK_MS = 20;
/** Of /proc/PID/stat: USER_HZ. */
const TICK_MS = 10;

/** Processor time of a process with its threads; without its children. */
function processorMs({ pid }: ChildProcess): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return undefined; // it has ended
  }
}

export interface Interruption {
  readonly cwd: string;
  readonly signal: NodeJS.Signals;
  /** So much processor time after its start, or after `ready` has become true. */
  readonly afterMs: number;
  readonly ready?: (cwd: string) => boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs `sim ARGS` in the folder, and sends the signal when it has worked for so long. */
export function interrupt(
  args: readonly string[],
  { cwd, afterMs, signal, ready, environment }: Interruption,
): Promise<Interrupted> {
  const temporary = join(cwd, '.tmp');
  mkdirSync(temporary, { recursive: true });
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', GITHUB_ACTIONS: '', TMPDIR: temporary, ...environment },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  let sentMs: number | undefined;
  let lastMs = 0;
  let fromMs = ready ? undefined : 0;
  const look = setInterval(() => {
    lastMs = processorMs(child) ?? lastMs;
    if (fromMs === undefined && ready!(cwd)) fromMs = lastMs;
    if (sentMs !== undefined || fromMs === undefined || lastMs - fromMs < afterMs) return;
    sentMs = lastMs;
    child.kill(signal);
  }, LOOK_MS);
  return new Promise((resolve) => {
    child.on('close', (code, endedBy) => {
      clearInterval(look);
      resolve({
        code,
        signal: endedBy,
        stdout,
        stderr,
        wasOver: sentMs === undefined,
        tookMs: lastMs,
        processorMs: lastMs - (sentMs ?? lastMs),
        left: readdirSync(temporary),
      });
    });
  });
}
