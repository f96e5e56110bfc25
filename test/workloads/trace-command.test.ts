import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import yargs from 'yargs';
import { traceCommand } from '../../bench/commands/trace.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

/** Runs `sim trace …` in this process; what it writes, and the exit code that it sets. */
async function sim(...words: string[]): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += text;
      return true;
    });
  }
  await yargs(['trace', ...words])
    .command(traceCommand)
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UserError(message);
    })
    .parseAsync();
  return { ...written, exitCode: Number(process.exitCode ?? 0) };
}

const SAMPLE = fileURLToPath(new URL('../../workloads/samples/lanczos-3-sizes.htrace.gz', import.meta.url));

describe('sim trace', () => {
  it('check says OK, or every violation with its line and rule, and sets the exit code', async () => {
    expect(await sim('check', SAMPLE)).toMatchObject({
      stdout: expect.stringMatching(/: OK, 4,843 events, 16 threads, peak/),
      exitCode: 0,
    });
    const path = `${temporaryFolder()}/bad`;
    writeFileSync(path, '%htrace 1\nm 0 1 5\nf 0 2\nwhat\nte 0\n');
    const { stdout, exitCode } = await sim('check', path);
    expect(exitCode).toBe(1);
    expect(stdout.split('\n')).toEqual([
      `${path}:3:5: found object 2, which is not live, expected a live object  [object-dead]`,
      expect.stringMatching(/bad:4:1: found "what", expected an event: .* {2}\[event-unknown\]$/),
      `${path}:5: note: the main thread exits; ignored`,
      `${path}: 2 violations in 4 events, 1 thread`,
      '',
    ]);
    await sim('check', path, '--json', `${path}.json`, '--limit', '1');
    const json = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
    expect(json).toMatchObject({ ok: false, violationCount: 2, violations: [{ line: 3, rule: 'object-dead' }] });
    await expect(sim('check', `${path}.none`)).rejects.toThrow(UserError);
  });

  it('info shows a table, or JSON', async () => {
    const { stdout } = await sim('info', 'rows:threads=2,rounds=5');
    expect(stdout).toMatch(/threads +3, at most 3 at once/);
    expect(stdout).toMatch(/32\.0 KiB +30 +100\.0 %/);
    expect(stdout).toMatch(/events +\d+: malloc 30, free 30, .*thread begins 2/);
    const kept = `${temporaryFolder()}/kept.htrace`;
    writeFileSync(kept, '%htrace 1\nm 0 1 100\n');
    expect((await sim('info', kept)).stdout).toMatch(/Lifetimes of freed blocks\n {2}none\n$/);
    const json = `${temporaryFolder()}/info.json`;
    await sim('info', 'rows:threads=2,rounds=5', '--json', json);
    expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ allocations: 30 });
  });

  it('convert goes from form to form and back', async () => {
    const folder = temporaryFolder();
    await sim('convert', SAMPLE, `${folder}/a.htb.gz`);
    await sim('convert', `${folder}/a.htb.gz`, `${folder}/b.htb`);
    await sim('convert', `${folder}/b.htb`, `${folder}/c.htrace`);
    await sim('convert', SAMPLE, `${folder}/d.htrace`);
    expect(readFileSync(`${folder}/c.htrace`, 'latin1')).toBe(readFileSync(`${folder}/d.htrace`, 'latin1'));
    expect(readdirSync(folder).sort()).toEqual(['a.htb.gz', 'b.htb', 'c.htrace', 'd.htrace']);
  });

  it('convert leaves no file behind when the input is broken', async () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/bad`, '%htrace 1\nm 0 1 5\nm 0 1 5\n');
    await expect(sim('convert', `${folder}/bad`, `${folder}/out.htb`)).rejects.toThrow(
      /bad:3:5: found object 1, which is live/,
    );
    expect(existsSync(`${folder}/out.htb`)).toBe(false);
    expect((await sim('convert', `${folder}/bad`, `${folder}/out.htb`, '--lenient')).stderr).toMatch(
      /1 event left out/,
    );
    expect(existsSync(`${folder}/out.htb`)).toBe(true);
  });

  it('cut makes traces that keep the rules', async () => {
    const path = `${temporaryFolder()}/part.htrace`;
    for (const options of [[], ['--live', 'drop'], ['--threads', '0,3-5']]) {
      await sim('cut', SAMPLE, path, '--from', '2000', '--to', '3000', ...options);
      expect((await sim('check', path)).stdout).toMatch(/: OK, /);
    }
    await expect(sim('cut', SAMPLE, path, '--from', '9', '--to', '3')).rejects.toThrow(
      "--to: found '3', expected an event",
    );
    await expect(sim('cut', SAMPLE, path, '--threads', '4-2')).rejects.toThrow(
      "--threads: found '4-2', expected thread",
    );
  });

  it('import writes the trace and says what it left out', async () => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/log`, 'malloc(24) = 0x1000\nfree(0x2000) = <void>\nfree(0x1000) = <void>\n');
    const { stderr } = await sim('import', `${folder}/log`, `${folder}/out.htrace`);
    expect(stderr).toMatch(/log: 3 events from ltrace\n.*log: frees of blocks that were not seen: 1\n/);
    expect(readFileSync(`${folder}/out.htrace`, 'latin1')).toMatch(/\nm 0 1 24\nf 0 1\n= end\n$/);
  });

  it('refuses what it does not know', async () => {
    await expect(sim('chek', SAMPLE)).rejects.toThrow('Unknown argument');
    await expect(sim('record')).rejects.toThrow('record: found no program, expected one behind --');
  });
});
