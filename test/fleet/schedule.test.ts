import fc from 'fast-check';
import { expect, test } from 'vitest';
import { schedulePool } from '../../fleet/pool/schedule.ts';
import { type Arrivals, arrivalsOf } from '../../fleet/requests/arrivals.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { atOnce } from '../../workloads/breathing.ts';

function scenarioOf(pm: string, requests: string, duration = '1h') {
  return parseScenario(
    `duration: ${duration}\nmachine: { memory: 1G }\npools: [{ name: www, pm: ${pm} }]\nrequests: ${requests}\n`,
    's.yaml',
  );
}

const arrivalsAt = (atUs: number[], busyUs: number): Arrivals => ({
  count: atUs.length,
  atUs: Float64Array.from(atUs),
  kind: new Uint16Array(atUs.length),
  variant: new Uint16Array(atUs.length),
  busyUs: new Float64Array(atUs.length).fill(busyUs),
  logs: [],
});

test('arrivals: a cron job’s burst, and the mean of a daily curve', () => {
  const cron = arrivalsOf(
    scenarioOf(
      '{ max_children: 1 }',
      '[{ name: a, pool: www, workload: php-pool, time: 1ms, cron: { every: 10m, count: 3, over: 1m, first: 5m } }]',
    ),
  );
  expect([...cron.atUs.slice(0, 4)].map((us) => us / 1e6)).toEqual([300, 320, 340, 900]);
  expect(cron.count).toBe(18);
  const daily = `[{ name: a, pool: www, workload: php-pool, time: 1ms, rate: 1/s, daily: [${Array.from({ length: 24 }, (_, hour) => (hour < 12 ? 0 : 2)).join(', ')}] }]`;
  const curve = arrivalsOf(scenarioOf('{ max_children: 1 }', daily, '24h'));
  expect(curve.atUs[0]! / 3600e6).toBeGreaterThanOrEqual(12);
  expect(Math.abs(curve.count - 86400)).toBeLessThan(5 * Math.sqrt(86400));
});

test('a request goes to the worker that has waited longest; one that finds none waits, or is refused', () => {
  const { pools, durationUs } = scenarioOf('{ max_children: 2, backlog: 1 }', '[]');
  const plan = atOnce(schedulePool(pools[0]!, arrivalsAt([0, 1, 2, 3, 100], 50), () => true, durationUs));
  expect(plan.slots.map(({ arrival }) => arrival)).toEqual([[0, 2, 4].slice(0, 2), [1, 4]]);
  expect(plan.refused).toBe(1);
  expect(plan.refusedUs).toEqual([3, 3]);
  expect([...plan.waitUs]).toEqual([0, 0, 48, 0]);
});

test('max_requests replaces the process, dynamic and ondemand follow the load', () => {
  const recycled = scenarioOf('{ max_children: 1, max_requests: 2 }', '[]');
  const lives = atOnce(
    schedulePool(recycled.pools[0]!, arrivalsAt([0, 10, 20, 30, 40], 5), () => true, recycled.durationUs),
  ).slots[0]!.lives;
  expect(lives.map(({ first, last, ending }) => [first, last, ending])).toEqual([
    [0, 2, 'max_requests'],
    [2, 4, 'max_requests'],
    [4, 5, 'running'],
  ]);
  const ondemand = scenarioOf('{ mode: ondemand, max_children: 3, process_idle_timeout: 10s }', '[]');
  const own = atOnce(schedulePool(ondemand.pools[0]!, arrivalsAt([0, 1, 60e6], 5e6), () => true, ondemand.durationUs));
  expect(own.slots.map((slot) => slot.lives.map(({ ending }) => ending))).toEqual([['idle', 'idle'], ['idle']]);
  const dynamic = scenarioOf(
    '{ mode: dynamic, max_children: 8, start_servers: 2, min_spare_servers: 2, max_spare_servers: 3 }',
    '[]',
  );
  const grown = atOnce(
    schedulePool(dynamic.pools[0]!, arrivalsAt([0, 1, 2, 3, 4], 20e6), () => true, dynamic.durationUs),
  );
  expect(grown.refused + grown.unserved).toBe(0);
  expect(grown.mostBusy).toBe(5);
});

test('every request is served once, by one worker at a time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 30e6 }), { minLength: 1, maxLength: 80 }),
      fc.constantFrom('static', 'dynamic', 'ondemand'),
      fc.integer({ min: 1, max: 6 }),
      (times, mode, children) => {
        const { pools, durationUs } = scenarioOf(`{ mode: ${mode}, max_children: ${children}, max_requests: 5 }`, '[]');
        const atUs = times.sort((x, y) => x - y);
        const plan = atOnce(schedulePool(pools[0]!, arrivalsAt(atUs, 400e3), () => true, durationUs));
        expect(plan.slots.flatMap(({ arrival }) => arrival).sort((x, y) => x - y)).toEqual(atUs.map((_, i) => i));
        for (const { startUs, endUs, lives, arrival } of plan.slots) {
          for (const [i, start] of startUs.entries())
            expect(start).toBeGreaterThanOrEqual(i > 0 ? endUs[i - 1]! : atUs[arrival[0]!]!);
          for (const [i, life] of lives.entries()) expect(life.first).toBe(i > 0 ? lives[i - 1]!.last : 0);
        }
      },
    ),
    { numRuns: 60, seed: 7 },
  );
});
