import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CLI_BUILT, sim } from '../../helpers/cli.ts';
import { startSim, until } from '../../helpers/redis.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const SWEEP = ['sweep', 'rows:threads=2,rounds=400', '--grid=arena_max=1,2', '--seeds=6', '--workers=2', '--json'];

const keptIn = (cache: string): string[] => {
  try {
    return readdirSync(join(cache, 'allocsim/runs')).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
};

describe.runIf(CLI_BUILT)('--resume without an engine', () => {
  test('a sweep that was killed goes on where it ended', async () => {
    const cache = temporaryFolder();
    const environment = { XDG_CACHE_HOME: cache };
    const killed = startSim([...SWEEP, '--resume'], environment);
    await until(() => keptIn(cache).length >= 3);
    killed.process.kill('SIGKILL');
    await killed.ended;
    const kept = keptIn(cache);
    const inodes = () => kept.map((name) => statSync(join(cache, 'allocsim/runs', name)).ino);
    const before = inodes();
    const whole = sim([...SWEEP, '--resume'], environment);
    expect(whole.stdout).toBe(sim(SWEEP, { XDG_CACHE_HOME: temporaryFolder() }).stdout);
    expect(keptIn(cache).length).toBe(12);
    expect(inodes()).toEqual(before); // those that were kept were taken, and not made again

    // One that is damaged is made again.
    const file = join(cache, 'allocsim/runs', kept[0]!);
    writeFileSync(file, 'no gzip');
    expect(sim([...SWEEP, '--resume'], environment).stdout).toBe(whole.stdout);
    expect(statSync(file).size).toBeGreaterThan(7);
    expect(keptIn(cache).length).toBe(12);
  }, 480_000);

  test('a short batch keeps nothing, and a folder that is not to be had is said', () => {
    const cache = temporaryFolder();
    expect(sim(['compare', 'rows:rounds=2', '--allocators=glibc'], { XDG_CACHE_HOME: cache }).status).toBe(0);
    expect(readdirSync(cache)).toEqual([]);
    writeFileSync(join(cache, 'allocsim'), '');
    const { status, stderr } = sim(['compare', 'rows:rounds=2', '--allocators=glibc', '--resume'], {
      XDG_CACHE_HOME: cache,
    });
    expect([status, stderr]).toEqual([
      2,
      `sim: --resume: found a path through what is no directory at ${cache}/allocsim/runs, expected a folder for finished runs\n`,
    ]);
  });
});
