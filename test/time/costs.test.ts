import { expect, test } from 'vitest';
import { overRounds, pricesFrom } from '../../bench/commands/calibrate.ts';
import { OP_FAULTS, OPERATIONS } from '../../sim/contract/operations.ts';
import { COST_PROFILES, operationPrices } from '../../sim/time/costs.ts';
import { parseCosts } from '../../sim/time/price-list.ts';

const MEASURED = {
  cpus: 2,
  mallocFreePairNs: 12,
  arenaPairNs: 30,
  mutexPairNs: 6,
  pauseNs: 12,
  faultNs: 900,
  munmapPageNs: 150,
  syscallEntryNs: 100,
  mmapNs: 800,
  munmapRoundNs: 900 + 150 + 800 + 100 + 500 + 1200,
  mprotectNs: 700,
  brkNs: 600,
  madviseNs: 400,
  madviseRoundNs: 900 + 150 + 400 + 500,
  brkRoundNs: 900 + 150 + 2 * 600 + 500 + 2000,
  firstFaultNs: 2900,
  threadCreateNs: 7000,
  mremapNs: 1500,
  fillRateL1: 110,
  fillRateL2: 100,
  fillRateL3: 50,
  fillRateMemory: 20,
  copyRateL2: 40,
  cacheL2Bytes: 524288,
  cacheL3Bytes: 33554432,
  futexWaitFailedNs: 200,
  futexWakeNobodyNs: 150,
  contextSwitchNs: 600,
  futexHandOverSameCpuNs: 2000,
  futexHandOverNs: 5000,
  lineTransferNs: 45,
  shootDownNs: 1500,
  threadLifeNs: 9000,
};

test('every operation has a price in every profile', () => {
  for (const costs of Object.values(COST_PROFILES)) {
    const prices = operationPrices(costs);
    expect(prices).toHaveLength(OPERATIONS.length);
    expect(prices.every((price) => price >= 0 && Number.isFinite(price))).toBe(true);
    expect(prices[OP_FAULTS]).toBe(costs.operations.faults);
  }
});

test('what calibrate writes is what --costs reads', () => {
  const profile = { comment: 'test', base: 'vm', ...pricesFrom(MEASURED), measured: MEASURED };
  const costs = parseCosts(JSON.stringify(profile), 'cal.json');
  expect(costs.operations.faults).toBe(900);
  expect(costs.operations.mmap).toBe(700); // the entry has its own price
  expect(costs.operations).toMatchObject({ flushes: 500, munmap: 1200, brkShrinks: 2000, mappingsEntered: 2000 });
  expect(costs.threadCreateNs).toBe(7000);
  expect(costs.syscallNs).toBe(100);
  expect(costs.wakeThreadNs).toBe(2000 - 150 - 200 - 600);
  expect(costs.fillRateL2).toBe(110);
  expect(costs.operations.binScanSteps).toBe(COST_PROFILES['vm']!.operations.binScanSteps);
  expect(costs.source).toEqual({ name: 'cal.json', origin: 'calibrated', cpus: null });
});

test('of several measurements the median of each counts, also where one lacks a figure', () => {
  const rounds = [{ faultNs: 5, fillRateL2: 10 }, { faultNs: 4 }, { faultNs: 9, fillRateL2: 8 }];
  expect(overRounds(rounds)).toEqual({ faultNs: 5, fillRateL2: 10 });
});

test('of what has one price or the other the geometric mean counts', () => {
  const { lineTransferNs } = overRounds([{ lineTransferNs: 30 }, { lineTransferNs: 30 }, { lineTransferNs: 240 }]);
  expect(lineTransferNs).toBeCloseTo(60, 9);
});

test('a few prices over a named profile', () => {
  const costs = parseCosts('{"base":"bare-metal","lockNs":9,"operations":{"faults":1}}', 'f');
  expect(costs).toMatchObject({ lockNs: 9, shootDownNs: COST_PROFILES['bare-metal']!.shootDownNs });
  expect(costs.operations.faults).toBe(1);
  expect(costs.source).toEqual({ name: 'f', origin: 'stated', cpus: null });
});

test('mistakes are named', () => {
  expect(() => parseCosts('{', 'f.json')).toThrow(/^f.json: no price list/);
  expect(() => parseCosts('[]', 'f.json')).toThrow('expected a JSON object');
  expect(() => parseCosts('{"base":"x"}', 'f.json')).toThrow('base: found "x", expected one of vm, bare-metal');
  expect(() => parseCosts('{"lockns":1}', 'f.json')).toThrow("unknown price 'lockns'");
  expect(() => parseCosts('{"operations":{"faults":-1}}', 'f.json')).toThrow('operations.faults: found -1');
});

test.each([
  ['{"base":"constructor"}', 'base: found "constructor"'],
  ['{"base":["vm"]}', 'base: found ["vm"]'],
  ['{"toString":5}', "unknown price 'toString'"],
  ['{"operations":{"constructor":3}}', "unknown price 'operations.constructor'"],
  ['{"fillRateL2":0}', 'fillRateL2: found 0, expected a number from 0.001'],
  ['{"mallocNs":1e308}', 'mallocNs: found 1e+308, expected a number from 0 to 1000000'],
  ['{"priceSpread":0.5}', 'priceSpread: found 0.5, expected a number from 0 to 0.25'],
  ['{"lockNs":-1}', 'lockNs: found -1'],
])('a price list that makes no sense is refused: %s', (text, message) => {
  expect(() => parseCosts(text, 'costs.json')).toThrow(message);
});
