import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CLI, CLI_BUILT } from '../helpers/cli.ts';
import { interrupt } from '../helpers/interrupt.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

/** Long enough for any machine to be in the middle of it. */
const LONG = 'rows:threads=4,rounds=900000';
/** The second in which a signal must be answered, and what a busy machine may add. */
const ANSWER_MS = 3000;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

/** A file that has no name yet: an output is open, so the run has begun. */
const hasBegun = (folder: string): boolean => readdirSync(folder).some((name) => name.endsWith('.tmp'));

/** Sends the signal so many milliseconds after `ready` has become true in the folder. */
function interrupted(
  args: readonly string[],
  afterMs: number,
  signal: NodeJS.Signals,
  cwd: string,
  ready: (folder: string) => boolean = () => true,
): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd, env: { ...process.env, NO_COLOR: '1' } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  let sentAt = 0;
  const look = setInterval(() => {
    if (!ready(cwd)) return;
    clearInterval(look);
    setTimeout(() => {
      sentAt = performance.now();
      child.kill(signal);
    }, afterMs);
  }, 20);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearInterval(look);
      resolve({ code, stdout, stderr, tookMs: performance.now() - sentAt });
    });
  });
}

describe.runIf(CLI_BUILT)('Ctrl-C and SIGTERM', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s: run leaves a marked partial result', async (signal) => {
    const folder = temporaryFolder();
    const args = ['run', LONG, '--json=r.json', '--samples=s.jsonl'];
    const { code, stdout, tookMs } = await interrupted(args, 300, signal, folder, hasBegun);
    expect(code).toBe(130);
    expect(tookMs).toBeLessThan(ANSWER_MS);
    expect(stdout).toContain('(partial: interrupted)');
    expect(readdirSync(folder).sort()).toEqual(['r.json', 's.jsonl.partial']);
    expect(JSON.parse(readFileSync(`${folder}/r.json`, 'utf8')).partial).toBe(true);
  });

  test('compare tells what had finished', async () => {
    const args = [
      'compare',
      'rows:threads=1,rounds=100',
      '--allocators=glibc,jemalloc',
      '--seeds=5000',
      '--json=c.json',
    ];
    const folder = temporaryFolder();
    const { code, stdout, processorMs } = await interrupt(args, { cwd: folder, afterMs: 2500, signal: 'SIGINT' });
    expect(code).toBe(130);
    expect(processorMs).toBeLessThan(ANSWER_MS);
    expect(stdout).toContain('(partial: interrupted)');
    const comparison = JSON.parse(readFileSync(`${folder}/c.json`, 'utf8'));
    expect(comparison.partial).toBe(true);
    expect(comparison.seeds.length).toBeLessThan(5000);
  });

  test('while a trace is read or written, nothing is left', async () => {
    const folder = temporaryFolder();
    const lines = ['%htrace 1', '%touch none'];
    for (let i = 0; i < 20000; i++) lines.push(`m 0 ${i} 24`);
    for (let i = 0; i < 20000; i++) lines.push(`f 0 ${i}`);
    writeFileSync(
      `${folder}/t.htrace`,
      `${lines.slice(0, 2).join('\n')}\n${`${lines.slice(2).join('\n')}\n`.repeat(400)}`,
    );
    const { code, tookMs } = await interrupted(
      ['trace', 'convert', 't.htrace', 'o.htrace.gz'],
      0,
      'SIGTERM',
      folder,
      hasBegun,
    );
    expect(code).toBe(130);
    expect(tookMs).toBeLessThan(ANSWER_MS);
    expect(readdirSync(folder)).toEqual(['t.htrace']);
  });
});
