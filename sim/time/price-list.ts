import { basename } from 'node:path';
import { UserError } from '../contract/assert.ts';
import { COST_PROFILES, type Costs, DEFAULT_PROFILE, type PriceSource } from './costs.ts';
import type { MeasuredTopology } from './topology.ts';

/** Prices that files of earlier versions have, and that nothing needs any more. */
const RETIRED = ['coldCallNs', 'coldLineNs', 'timeSliceNs'];

const NO_PRICES = ['source', 'operations', 'topology'];

/** A profile as `sim calibrate` writes it: any of the prices, over those of the profile `base`. */
export function parseCosts(text: string, file: string): Costs {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${file}: no price list: ${(error as Error).message}`);
  }
  if (!isRecord(data)) throw new UserError(`${file}: no price list: expected a JSON object`);
  const { base = DEFAULT_PROFILE, operations = {}, comment: _, measured, unmeasured: _u, topology, ...prices } = data;
  const below = typeof base === 'string' && Object.hasOwn(COST_PROFILES, base) ? COST_PROFILES[base] : undefined;
  if (!below) {
    const found = JSON.stringify(base);
    throw new UserError(`${file}: base: found ${found}, expected one of ${Object.keys(COST_PROFILES).join(', ')}`);
  }
  if (!isRecord(operations)) throw new UserError(`${file}: operations: expected an object of prices`);
  for (const name of RETIRED) delete prices[name];
  checkPrices(prices, below, file, '');
  checkPrices(operations, below.operations, file, 'operations.');
  const machine = topology === undefined ? undefined : parseTopology(topology, file);
  const cpus = machine?.core.length ?? null;
  const source: PriceSource = { name: basename(file), origin: isRecord(measured) ? 'calibrated' : 'stated', cpus };
  const costs = { ...below, ...prices, operations: { ...below.operations, ...operations }, source };
  return machine ? { ...costs, topology: machine } : costs;
}

function parseTopology(found: unknown, file: string): MeasuredTopology {
  const isCount = (n: unknown, below: number) => Number.isInteger(n) && (n as number) >= 0 && (n as number) < below;
  const isTime = (ns: unknown, p: number, q: number) =>
    typeof ns === 'number' && Number.isFinite(ns) && (p === q ? ns === 0 : ns > 0);
  if (isRecord(found)) {
    const { core, llc, socket, lineNs } = found;
    const cpus = Array.isArray(core) ? core.length : 0;
    const isGroup = (of: unknown) => Array.isArray(of) && of.length === cpus && of.every((n) => isCount(n, cpus));
    const isMatrix =
      Array.isArray(lineNs) &&
      lineNs.length === cpus &&
      lineNs.every((row, p) => Array.isArray(row) && row.length === cpus && row.every((ns, q) => isTime(ns, p, q)));
    if (cpus > 0 && [core, llc, socket].every(isGroup) && isMatrix) return found as unknown as MeasuredTopology;
  }
  throw new UserError(
    `${file}: topology: expected core, llc and socket of each processor, and lineNs from each to each (0 to itself)`,
  );
}

function checkPrices(found: Record<string, unknown>, known: object, file: string, prefix: string): void {
  for (const [name, price] of Object.entries(found)) {
    if (!Object.hasOwn(known, name) || NO_PRICES.includes(name))
      throw new UserError(`${file}: unknown price '${prefix}${name}'`);
    const [least, most] = rangeOf(name);
    if (typeof price !== 'number' || !(price >= least && price <= most)) {
      throw new UserError(
        `${file}: ${prefix}${name}: found ${JSON.stringify(price)}, expected a number from ${least} to ${most}`,
      );
    }
  }
}

/**
 * What a price may be: a millisecond is more than anything here takes, and less than a slice of a processor, in which threads must get on; rates in
 * bytes per nanosecond are at least a megabyte a second; with half of a price as its spread a price would be nothing;
 * what comes over with a lock is reckoned in lines, which take some time.
 */
function rangeOf(name: string): readonly [least: number, most: number] {
  if (name.startsWith('fillRate')) return [0.001, 1e6];
  if (name === 'priceSpread') return [0, 0.25];
  if (name === 'lineTransferNs') return [0.1, 1e6];
  return name.startsWith('cache') && name.endsWith('Bytes') ? [0, 2 ** 40] : [0, 1e6];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
