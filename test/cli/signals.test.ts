import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CLI_BUILT } from '../helpers/cli.ts';
import { interrupt } from '../helpers/interrupt.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

/** Long enough for any machine to be in the middle of it. */
const LONG = 'rows:threads=4,rounds=300000';
/** A second of two processors, and what a busy machine may add. */
const ANSWER_MS = 3000;

/** A file that has no name yet: an output is open, so the run has begun. */
const hasBegun = (folder: string): boolean => readdirSync(folder).some((name) => name.startsWith('.allocsim-'));

describe.runIf(CLI_BUILT)('Ctrl-C and SIGTERM', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s: run leaves a marked partial result', async (signal) => {
    const folder = temporaryFolder();
    const args = ['run', LONG, '--json=r.json', '--samples=s.jsonl'];
    const { code, stdout, processorMs } = await interrupt(args, { cwd: folder, afterMs: 100, signal, ready: hasBegun });
    expect(code).toBe(130);
    expect(processorMs).toBeLessThan(ANSWER_MS);
    expect(stdout).toContain('(partial: interrupted)');
    expect(readdirSync(folder).sort()).toEqual(['.tmp', 'r.json', 's.jsonl.partial']);
    expect(JSON.parse(readFileSync(`${folder}/r.json`, 'utf8')).partial).toBe(true);
  });

  test('SIGHUP is the same, and what the command ends by', async () => {
    const folder = temporaryFolder();
    const args = ['run', LONG, '--json=r.json', '--samples=s.jsonl'];
    const ended = await interrupt(args, { cwd: folder, afterMs: 100, signal: 'SIGHUP', ready: hasBegun });
    expect([ended.code, ended.signal]).toEqual([null, 'SIGHUP']);
    expect(readdirSync(folder).sort()).toEqual(['.tmp', 'r.json', 's.jsonl.partial']);
    expect(JSON.parse(readFileSync(`${folder}/r.json`, 'utf8')).partial).toBe(true);
  });

  test('SIGHUP under nohup is not heard', async () => {
    const folder = temporaryFolder();
    const ended = await interrupt(['run', 'rows:threads=2,rounds=3000', '--samples=s.jsonl'], {
      cwd: folder,
      afterMs: 0,
      signal: 'SIGHUP',
      ready: hasBegun,
      environment: { _: '/usr/bin/nohup' },
    });
    expect([ended.wasOver, ended.code, ended.signal]).toEqual([false, 0, null]);
    expect(readdirSync(folder).sort()).toEqual(['.tmp', 's.jsonl']);
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
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
      const args = ['trace', 'convert', 't.htrace', 'o.htrace.gz'];
      const ended = await interrupt(args, { cwd: folder, afterMs: 0, signal, ready: hasBegun });
      expect([ended.code, ended.signal]).toEqual(signal === 'SIGHUP' ? [null, signal] : [130, null]);
      expect(ended.processorMs).toBeLessThan(ANSWER_MS);
      expect(readdirSync(folder).sort()).toEqual(['.tmp', 't.htrace']);
    }
  });
});
