import { expect, it } from 'vitest';
import { parseAllocator, resolveWorkload, run } from '../../bench/index.ts';

const KIB = 1024;

async function residentAt(spec: string): Promise<Record<string, number>> {
  const { events, name } = await resolveWorkload(spec);
  const result = await run({
    events,
    workload: name,
    spec: parseAllocator('glibc@2.36', 2),
    cpus: 2,
    mode: 'lockstep',
  });
  return Object.fromEntries(result.samples.map((sample) => [sample.label, sample.rssBytes / KIB]));
}

/**
 * What glibc 2.36 kept resident when the recorded traces of the same programs were replayed on it, in KiB. The generator
 * knows the sizes of the images alone.
 */
it('lanczos-im6 leaves resident what the recorded run left', async () => {
  const resident = await residentAt('lanczos-im6');
  const recorded = {
    'written-800x600': 72308,
    'written-1200x900': 82956,
    'written-1920x1080': 95252,
    'written-768x576': 133132,
    'written-1600x1200': 133856,
    idle: 69052,
  };
  for (const [label, kib] of Object.entries(recorded)) expect(resident[label]! / kib, label).toBeCloseTo(1, 1);
});

it('lanczos-im6 leaves resident what a second recorded run left, which enlarges', async () => {
  const sizes = '8192x4608+9216x5184+8192x2160+10240x3000+9000x1200+4096x2304+1200x900+8192x4608';
  const resident = await residentAt(`lanczos-im6:sizes=${sizes}`);
  const recorded = {
    'written-8192x4608': 384088, // the last of the two
    'size-9216x5184': 444728,
    'size-8192x2160': 209248,
    'size-10240x3000': 311376,
    'size-9000x1200': 155812,
    'size-4096x2304': 145168,
    'size-1200x900': 79712,
    idle: 24368,
  };
  for (const [label, kib] of Object.entries(recorded)) {
    expect(resident[label]! / kib, label).toBeGreaterThan(0.98);
    expect(resident[label]! / kib, label).toBeLessThan(1.02);
  }
});
