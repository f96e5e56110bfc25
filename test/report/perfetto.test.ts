import { expect, test } from 'vitest';
import { perfettoCounters } from '../../bench/report/perfetto.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { bumpOptions } from '../helpers/bump-run.ts';

test('samples are counters by event, or by time where there is one', async () => {
  const result = await runLockstep(bumpOptions(['m 0 1 100000', '= middle', 'f 0 1', 'm 0 2 5']));
  const { traceEvents } = JSON.parse(perfettoCounters(result));
  const resident = traceEvents.filter((e: { name: string }) => e.name === 'resident bytes');
  expect(resident).toHaveLength(result.samples.length);
  expect(resident[0]).toMatchObject({ ph: 'C', ts: result.samples[0]!.event, args: { requested: 100000 } });
  expect(traceEvents).toContainEqual(expect.objectContaining({ ph: 'i', name: 'middle' }));
  expect(traceEvents[0].args.name).toMatch(/an event a microsecond/);
  const timed = { ...result, samples: result.samples.map((s) => ({ ...s, virtualNs: 5000 })) };
  expect(JSON.parse(perfettoCounters(timed)).traceEvents[1].ts).toBe(5);
});
