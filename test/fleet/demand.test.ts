import { describe, expect, test } from 'vitest';
import { type Need, pagesAtRisk } from '../../fleet/report/demand.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { createRandom } from '../../sim/contract/random.ts';

const HOUR_US = 3600e6;

function scenarioOf(arrivals: string) {
  return parseScenario(
    `duration: 10h
machine: { memory: 1G }
pools: [{ name: www, pm: { max_children: 4 } }]
requests: [{ name: r, pool: www, workload: php-pool, time: 10s, ${arrivals} }]
`,
    's.yaml',
  );
}

/** Requests of ten seconds, of 64 or 128 pages. */
function poisson(perHour: number, seed: number, hours = 10): Need[] {
  const random = createRandom(seed, 'test/demand');
  const needs: Need[] = [];
  for (let us = 0; ; ) {
    us += (-Math.log(1 - random.next()) / perHour) * HOUR_US;
    if (us >= hours * HOUR_US) return needs;
    needs.push({ kind: 0, pages: random.next() < 0.5 ? 64 : 128, startUs: us, endUs: us + 10e6 });
  }
}

function mostAtOnce(needs: readonly Need[]): number {
  let most = 0;
  for (const { startUs } of needs) {
    const own = needs.filter((one) => one.startUs <= startUs && one.endUs > startUs);
    most = Math.max(
      most,
      own.reduce((sum, { pages }) => sum + pages, 0),
    );
  }
  return most;
}

describe('what requests in progress need at a risk', () => {
  test('of Poisson arrivals it is exceeded as often as it says, and a step below more often', () => {
    const scenario = scenarioOf('rate: 120/h');
    const limit = pagesAtRisk(poisson(120, 1, 1000), scenario, 10 * HOUR_US, 0.3);
    const runs = Array.from({ length: 200 }, (_, i) => mostAtOnce(poisson(120, 100 + i)));
    const above = (pages: number) => runs.filter((most) => most > pages).length / runs.length;
    expect(above(limit)).toBeLessThanOrEqual(0.3 + 0.1); // three deviations of 200 runs
    expect(above(limit - 64)).toBeGreaterThan(0.3 - 0.1);
  });

  test('a smaller risk needs more, and so does a longer time', () => {
    const scenario = scenarioOf('rate: 120/h');
    const needs = poisson(120, 1);
    const at = (hours: number, risk: number) => pagesAtRisk(needs, scenario, hours * HOUR_US, risk);
    expect(at(10, 1e-4)).toBeGreaterThan(at(10, 0.1));
    expect(at(1000, 0.1)).toBeGreaterThan(at(1, 0.1));
  });

  test('of bursts it is what came at once', () => {
    const needs = Array.from({ length: 30 }, (_, i): Need => {
      const startUs = Math.floor(i / 3) * HOUR_US + (i % 3) * 1e6;
      return { kind: 0, pages: 64, startUs, endUs: startUs + 10e6 };
    });
    expect(pagesAtRisk(needs, scenarioOf('cron: { every: 1h, count: 3, over: 3s }'), 10 * HOUR_US, 0.01)).toBe(192);
  });

  test('nothing for requests that need nothing', () => {
    expect(pagesAtRisk([{ kind: 0, pages: 0, startUs: 0, endUs: 1 }], scenarioOf('rate: 1/s'), HOUR_US, 0.01)).toBe(0);
  });
});
