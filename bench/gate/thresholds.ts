import { UserError } from '../../sim/contract/assert.ts';
import { durationUs, sizeBytes } from '../../sim/contract/quantities.ts';
import { readJson } from '../../workloads/files/json-file.ts';
import { metricNamed } from '../metrics/index.ts';
import type { Metric } from '../metrics/metric.ts';
import type { RunDescription } from '../run/result.ts';
import { type GateConfig, gateConfigSchema, type Threshold } from '../schema/gate.ts';
import { parseWith } from '../schema/result.ts';
import { workloadName } from './run-key.ts';

/** A threshold in the metric's own unit. */
export type Allowance = Readonly<Partial<Record<keyof Threshold, number>>>;

type Override = NonNullable<GateConfig['overrides']>[number];

/** @throws UserError for a file that is no configuration. */
export function readGateConfig(path: string): GateConfig {
  const config = parseWith(gateConfigSchema, readJson(path), path);
  const parts = [
    { at: 'thresholds', thresholds: config.thresholds },
    ...(config.overrides ?? []).map(({ thresholds }, i) => ({ at: `overrides.${i}.thresholds`, thresholds })),
  ];
  for (const { at, thresholds } of parts) {
    for (const [name, threshold] of Object.entries(thresholds)) allowanceOf(name, threshold!, `${path}: ${at}`);
  }
  return config;
}

/** The thresholds of a run: those of the configuration, and of the overrides that match it. */
export function thresholdsFor({ thresholds, overrides = [] }: GateConfig, run: RunDescription): Map<string, Allowance> {
  const all: [string, Threshold][] = [
    thresholds,
    ...overrides.filter((o) => isFor(o, run)).map((o) => o.thresholds),
  ].flatMap((some) => Object.entries(some) as [string, Threshold][]);
  return new Map(all.map(([name, threshold]) => [name, allowanceOf(name, threshold, 'thresholds')]));
}

/** Overrides that are for no run: a name that is wrong would go unnoticed. */
export function unmatchedOverrides({ overrides = [] }: GateConfig, runs: readonly RunDescription[]): string[] {
  return overrides.flatMap((override, i) => {
    if (runs.some((run) => isFor(override, run))) return [];
    const { workload, allocator } = override;
    const wanted = [workload && `workload '${workload}'`, allocator && `allocator '${allocator}'`].filter(Boolean);
    return [`override ${i + 1} (${wanted.join(', ')}) matches no run`];
  });
}

function isFor({ workload, allocator }: Override, run: RunDescription): boolean {
  return (
    (matches(workload, run.workload) || matches(workload, workloadName(run))) &&
    (matches(allocator, run.allocator) || matches(allocator, run.allocator.replace(/@[^:+]+/g, '')))
  );
}

/** `*` stands for anything; nothing said matches all. */
function matches(pattern: string | undefined, name: string): boolean {
  if (pattern === undefined) return true;
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

function allowanceOf(name: string, threshold: Threshold, at: string): Allowance {
  const metric = metricNamed(name);
  const amounts = Object.entries(threshold).map(([kind, given]) => {
    const amount = typeof given === 'string' ? quantity(metric, given) : given;
    if (amount !== undefined) return [kind, amount];
    throw new UserError(`${at}.${name}.${kind}: found '${given}', expected ${EXPECTED[metric.unit] ?? 'a number'}`);
  });
  return Object.fromEntries(amounts);
}

const EXPECTED: Partial<Readonly<Record<Metric['unit'], string>>> = {
  bytes: 'bytes, as in 268435456 or "256 MiB"',
  ns: 'nanoseconds, or a time as in "5ms"',
};

/** What a text with a unit stands for; undefined where it is none of the metric's. */
function quantity({ unit }: Metric, text: string): number | undefined {
  if (unit === 'bytes') return sizeBytes(text);
  const us = unit === 'ns' ? durationUs(text.replaceAll(' ', '')) : undefined;
  return us === undefined ? undefined : us * 1000;
}
