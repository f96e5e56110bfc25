import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { CLI_BUILT, sim } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

// Trace Event Format (the JSON that Chrome and Perfetto read): what a complete event and a metadata event must have.
const FORMAT = z.object({
  displayTimeUnit: z.enum(['ms', 'ns']),
  traceEvents: z.array(
    z.discriminatedUnion('ph', [
      z.strictObject({
        ph: z.literal('X'),
        name: z.string().min(1),
        pid: z.int(),
        tid: z.int(),
        ts: z.number().min(0),
        dur: z.number().positive(),
      }),
      z.strictObject({
        ph: z.literal('M'),
        name: z.enum(['process_name', 'thread_name']),
        pid: z.int(),
        tid: z.int().optional(),
        args: z.strictObject({ name: z.string().min(1) }),
      }),
    ]),
  ),
});

test.skipIf(!CLI_BUILT).each([
  ['rows:threads=5,rounds=40', 'glibc:arena_max=1', 2],
  ['larson:threads=6,blocks=20,replacements=60', 'jemalloc:narenas=1', 3],
  ['xmalloc-test:pairs=3,batches=4', 'glibc', 2],
])('--trace-time of %s under %s is a trace of events whose stretches do not overlap', (workload, allocator, cpus) => {
  const file = join(temporaryFolder(), 'time.json');
  const { status } = sim(['run', workload, '-a', allocator, '--cpus', String(cpus), '--trace-time', file, '--quiet']);
  expect(status).toBe(0);
  const { traceEvents } = FORMAT.parse(JSON.parse(readFileSync(file, 'utf8')));
  const tracks = new Map<string, { from: number; to: number }[]>();
  for (const event of traceEvents) {
    if (event.ph !== 'X') continue;
    const track = `${event.pid}/${event.tid}`;
    tracks.set(track, [...(tracks.get(track) ?? []), { from: event.ts, to: event.ts + event.dur }]);
  }
  expect(tracks.size).toBeGreaterThan(cpus);
  for (const [track, spans] of tracks) {
    spans.sort((a, b) => a.from - b.from);
    for (let i = 1; i < spans.length; i++) {
      expect(spans[i]!.from, `track ${track}`).toBeGreaterThanOrEqual(spans[i - 1]!.to - 1e-6);
    }
  }
});
