import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { chooseTime } from '../../bench/run/choose-time.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import { WORKLOADS } from '../../workloads/index.ts';
import { parseParameters } from '../../workloads/workload.ts';
import { eventsOf } from '../helpers/bump-run.ts';

const timed = eventsOf(['m 0 1 100', '+ 1000', 'm 1 2 100', '+ 1000', 'f 0 1']);
const untimed = eventsOf(['m 0 1 100', 'm 1 2 100', 'f 0 1']);
const alone = eventsOf(['m 0 1 100', 'f 0 1']);

describe('the right time by default', () => {
  test('a trace runs as what it knows allows', () => {
    expect(chooseTime(timed, undefined)).toMatchObject({ mode: 'virtual', pace: 'recorded' });
    expect(chooseTime(untimed, undefined)).toMatchObject({ mode: 'lockstep' });
    expect(chooseTime(untimed, undefined).timeReason).toContain('no times');
    expect(chooseTime(alone, undefined)).toMatchObject({ mode: 'virtual', pace: 'asap' });
    expect(chooseTime(eventsOf(['m 0 1 100', '+ 0', 'm 1 2 100']), undefined).mode).toBe('lockstep');
  });

  test('what is asked for goes before', () => {
    expect(chooseTime(timed, undefined, { mode: 'lockstep' })).toMatchObject({ mode: 'lockstep', pace: 'asap' });
    expect(chooseTime(timed, undefined, { mode: 'virtual' })).toMatchObject({ mode: 'virtual', pace: 'recorded' });
    expect(chooseTime(untimed, undefined, { pace: 'asap' })).toMatchObject({ mode: 'virtual', pace: 'asap' });
    expect(chooseTime(untimed, undefined, { mode: 'virtual' }).timeReason).toContain('need not have overlapped');
  });

  test('a generated workload says itself', () => {
    for (const workload of WORKLOADS) {
      const time = chooseTime(timed, workload.time);
      expect({ mode: time.mode, pace: time.pace }, workload.name).toEqual(workload.time);
    }
  });

  test('clocks of samples never go back', async () => {
    const phpPool = WORKLOADS.find((w) => w.name === 'php-pool')!;
    for (const events of [phpPool.generate(parseParameters(phpPool, 'requests=2')), timed]) {
      for (const pace of ['asap', 'recorded'] as const) {
        const spec = parseAllocator('glibc', 2);
        const run = { events, workload: 'test', spec, cpus: 2, mode: 'virtual', pace, sampleEvery: 50 } as const;
        const clocks = (await runInMode(run)).samples.map((s) => s.virtualNs);
        expect(clocks).toEqual([...clocks].sort((x, y) => x - y));
        expect(clocks.at(-1)).toBeGreaterThan(0);
      }
    }
  });
});

describe('filling costs time', () => {
  const events = eventsOf(Array.from({ length: 200 }, (_, i) => [`m 0 ${i + 1} 100000`, `f 0 ${i + 1}`]).flat());
  const cpuNs = async (allocator: string) => {
    const spec = parseAllocator(allocator, 1);
    return (await runInMode({ events, workload: 'test', spec, cpus: 1, mode: 'virtual' })).summary.cpuNs!;
  };
  test.each([
    ['glibc', 'glibc:perturb=1'],
    ['jemalloc', 'jemalloc:junk=true'],
    ['jemalloc', 'jemalloc:junk=free'],
    ['jemalloc', 'jemalloc:zero=true'],
  ])('%s is faster than %s', async (plain, filling) => {
    expect(await cpuNs(filling)).toBeGreaterThan(1.2 * (await cpuNs(plain)));
  });
});
