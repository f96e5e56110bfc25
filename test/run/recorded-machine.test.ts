import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { recordedCpus } from '../../workloads/trace/recorded-cpus.ts';
import { CLI_BUILT, sim } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

const machine = (...facts: (readonly [string, string])[]) => ({
  recorded: { command: [], machine: facts, environment: [], threads: [], mappings: [] } as never,
});

describe('the machine that a trace was recorded on', () => {
  test('says how many processors it had; what is no number of them says nothing', () => {
    expect(recordedCpus(machine(['cpus', '32']))).toBe(32);
    for (const odd of ['0', '-1', '4097', '1.5', 'many', ''])
      expect(recordedCpus(machine(['cpus', odd]))).toBeUndefined();
    expect(recordedCpus(machine(['kernel', '6.1']))).toBeUndefined();
  });

  test.runIf(CLI_BUILT)('is what it is run on, which is said; --cpus is over it', () => {
    const trace = `${temporaryFolder()}/t.htrace`;
    const cpus = availableParallelism() + 5;
    writeFileSync(trace, `%htrace 2\n%machine cpus ${cpus}\nm 0 1 100\n`);
    const args = ['run', trace, '--json'];
    const found = sim(args);
    expect(found.stderr).toBe(`${trace}: recorded on ${cpus} processors, and run so; --cpus takes another\n`);
    expect(JSON.parse(found.stdout).run.cpus).toBe(cpus);
    const given = sim([...args, '--cpus=3']);
    expect([given.stderr, JSON.parse(given.stdout).run.cpus]).toEqual(['', 3]);
  });

  test.runIf(CLI_BUILT)('has the settings of the program’s environment; -a is over them', () => {
    const trace = `${temporaryFolder()}/t.htrace`;
    writeFileSync(trace, '%htrace 2\n%env GLIBC_TUNABLES glibc.malloc.mmap_threshold=65536\nm 0 1 100000\n');
    const args = ['run', trace, '--json', '--cpus', '2'];
    const found = sim(args);
    expect(found.stderr).toBe(`${trace}: recorded under glibc:mmap_threshold=65536, and run so; -a takes another\n`);
    expect(JSON.parse(found.stdout).run.allocator).toBe('glibc@2.36:mmap_threshold=65536');
    const given = sim([...args, '-a', 'glibc']);
    expect(JSON.parse(given.stdout).run.allocator).toBe('glibc@2.36');
  });

  test.runIf(CLI_BUILT)('blocks of PHP’s own heap under glibc are said to be glibc’s', () => {
    const trace = `${temporaryFolder()}/t.htrace`;
    writeFileSync(trace, '%htrace 1\nem 0 1 100\nef 0 1\n');
    expect(sim(['run', trace, '--json']).stderr).toMatch(/PHP's own heap \(em, ef\) are glibc's here/);
    expect(sim(['run', trace, '--json', '-a', 'zendmm+glibc']).stderr).toBe('');
  });
});
