import { expect, test } from 'vitest';
import { MODELS } from '../allocators/index.ts';
import { parseAllocator } from '../allocators/spec.ts';
import { runInMode } from '../bench/run/run-in-mode.ts';
import type { LineSink } from '../workloads/files/line-sink.ts';
import { resolveWorkload } from '../workloads/index.ts';

function collect(lines: string[]): LineSink {
  return { write: (line) => lines.push(line), close: () => {}, discard: () => {} };
}

/** Every output of a run, as text; what is measured of this machine left out. */
async function outputs(workload: string, allocator: string, mode: 'lockstep' | 'virtual'): Promise<string> {
  const { events, cpus = 2, name } = await resolveWorkload(workload, { seed: 3 });
  const placements: string[] = [];
  const syscalls: string[] = [];
  const { engine: _, ...result } = await runInMode({
    events,
    workload: name,
    spec: parseAllocator(allocator, cpus),
    cpus,
    mode,
    seed: 3,
    placements: collect(placements),
    syscalls: collect(syscalls),
  });
  return [JSON.stringify(result, null, 1), ...placements, ...syscalls].join('\n');
}

const RUNS = [
  ['stress:profile=mix,events=4000', 'lockstep'],
  ['stress:profile=requests,events=4000', 'lockstep'],
  ['stress:profile=exits,events=4000', 'virtual'],
] as const;

test.each(MODELS.flatMap(({ name }) => RUNS.map(([workload, mode]) => [name, workload, mode] as const)))(
  '%s on %s, %s: the same run twice, the same bytes',
  async (allocator, workload, mode) => {
    const once = await outputs(workload, allocator, mode);
    expect(once.length).toBeGreaterThan(1000);
    expect(await outputs(workload, allocator, mode)).toBe(once);
  },
);

/** A run is executed in pieces whose size follows the speed of the host; sampling cuts it into others. */
test.each([
  ['lockstep', 'larson:threads=4,blocks=100,replacements=200', 'glibc', 2],
  ['virtual', 'larson:threads=4,blocks=100,replacements=200', 'glibc', 2],
  ['virtual', 'server:threads=5,requests=300', 'glibc:arena_max=2', 4],
] as const)('%s, %s: how a run is cut into pieces changes nothing', async (mode, workload, allocator, cpus) => {
  const { events } = await resolveWorkload(workload, { seed: 3 });
  const run = async (sampleEvery: number) => {
    const spec = parseAllocator(allocator, cpus);
    const { summary, locks } = await runInMode({ events, workload, spec, cpus, mode, sampleEvery });
    return { summary, locks };
  };
  const whole = await run(0);
  expect(await run(7)).toEqual(whole);
  expect(await run(1000)).toEqual(whole);
});
