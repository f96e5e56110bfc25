import { describe, expect, it } from 'vitest';
import * as counters from '../../sim/contract/operations.ts';
import { createCharging } from '../../sim/time/charging.ts';
import { COST_PROFILES, type Costs } from '../../sim/time/costs.ts';
import { createTopology } from '../../sim/time/topology.ts';
import { createVirtualTime } from '../../sim/time/virtual-time.ts';
import { FREE } from './core.ts';

const { OPERATIONS } = counters;

/** `bytesCopied` → `OP_BYTES_COPIED`. */
const constantOf = (operation: string): string =>
  `OP_${operation.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

const numbers: Readonly<Record<string, unknown>> = counters;

it('every operation has the number of its place', () => {
  const named = Object.entries(numbers).filter(([name]) => name.startsWith('OP_'));
  expect(Object.fromEntries(named)).toEqual(Object.fromEntries(OPERATIONS.map((name, i) => [constantOf(name), i])));
});

describe('a settled operation', () => {
  // A power of two each: any two sums of them differ.
  const prices = Object.fromEntries(OPERATIONS.map((name, i) => [name, 2 ** i])) as Costs['operations'];
  const costs: Costs = { ...COST_PROFILES['vm']!, ...FREE, operations: prices };

  const charge = (...counted: readonly number[]) => {
    const operations = new Float64Array(OPERATIONS.length);
    const topology = createTopology('pair', 2, 0);
    const time = createVirtualTime({ threads: 1, cpus: 2, costs, seed: 1, topology, version: '6.18', hz: 250 });
    time.running.fill(-1);
    let pagesNs = 0;
    const addPages = (_t: number, ns: number) => (pagesNs += ns);
    const charging = createCharging({ time, operations, onFaults: addPages, onReleases: addPages });
    for (const operation of counted) {
      operations[operation] = operations[operation]! + 1;
      charging.noteKernelEntry();
      charging.settle(0);
    }
    return { spentNs: time.clocks[0]! + pagesNs, kernelNs: time.kernelNs[0]! + pagesNs };
  };

  it.each(OPERATIONS.map((name, i) => [name, i] as const))('%s costs its price, once', (_name, operation) => {
    const { spentNs, kernelNs } = charge(operation, operation);
    expect(spentNs).toBe(2 * 2 ** operation);
    expect(kernelNs).toBe(operation < counters.OP_FAULTS ? 0 : 2 * 2 ** operation);
  });

  it('adds to the others', () => {
    expect(charge(...OPERATIONS.keys()).spentNs).toBe(2 ** OPERATIONS.length - 1);
  });
});
