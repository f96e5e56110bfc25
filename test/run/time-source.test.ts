import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { timeSource } from '../../bench/run/time-source.ts';
import { COST_PROFILES } from '../../sim/time/costs.ts';
import { parseCosts } from '../../sim/time/price-list.ts';
import { eventsOf } from '../helpers/bump-run.ts';

const events = eventsOf(['m 0 1 100', 'f 0 1']);
const sourceOf = async (cpus: number, more: Partial<RunOptions> = {}) => {
  const spec = parseAllocator('glibc', cpus);
  return timeSource(await runInMode({ events, workload: 'test', spec, cpus, mode: 'virtual', ...more }));
};

test('what is measured and what is published is said', async () => {
  expect(await sourceOf(2)).toBe('prices vm: calibrated on 2 processors');
  expect(await sourceOf(64)).toBe(
    'prices vm: calibrated on 2 processors; lines between the 64 processors: milan, published',
  );
  const costs = COST_PROFILES['bare-metal']!;
  expect(await sourceOf(8, { costs, topology: 'zen3' })).toBe(
    'prices bare-metal: published; lines between the 8 processors: zen3, published',
  );
  const lineNs = [
    [0, 30],
    [30, 0],
  ];
  const topology = { core: [0, 1], llc: [0, 0], socket: [0, 0], lineNs };
  const own = parseCosts(JSON.stringify({ measured: {}, topology }), 'folder/own.json');
  expect(await sourceOf(2, { costs: own })).toBe('prices own.json: calibrated on 2 processors');
  expect(await sourceOf(2, { costs: parseCosts('{"lockNs":9}', 'own.json') })).toBe('prices own.json: stated');
});

test('without simulated time there is nothing to say', async () => {
  expect(await sourceOf(2, { mode: 'lockstep' })).toBeNull();
});
