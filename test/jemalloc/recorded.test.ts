import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { AllocatorStats } from '../../sim/contract/allocator.ts';
import { breakdownBytes } from '../../sim/metrics/breakdown.ts';
import { eventsFrom, fixture, jemallocRun } from './run.ts';

type Numbers = Readonly<Record<string, number>>;

/** What the native replay saw under the real library; see the README of the fixtures. */
interface Truth {
  readonly allocator: string;
  readonly placements: readonly string[];
  readonly syscalls: readonly string[];
  readonly samples: readonly {
    readonly label: string;
    readonly rss_kb: number;
    readonly size_kb: number;
    readonly jemalloc: Numbers & {
      readonly arenas: Numbers;
      readonly arena: readonly Numbers[];
      readonly bins: readonly Numbers[];
      readonly lextents: readonly Numbers[];
    };
  }[];
}

const names = readdirSync(fileURLToPath(new URL('../fixtures/jemalloc', import.meta.url)))
  .filter((name) => name.endsWith('.htrace.gz'))
  .map((name) => name.slice(0, -'.htrace.gz'.length));

/** `stats` cut down to the names that the truth has; `small.allocated` is a path. */
function like(truth: Numbers, stats: AllocatorStats | undefined): Record<string, unknown> {
  const at = (path: string) =>
    path.split('.').reduce<unknown>((o, name) => (o as Record<string, unknown> | undefined)?.[name], stats);
  return Object.fromEntries(Object.keys(truth).map((path) => [path, at(path)]));
}

const rows = (stats: AllocatorStats, name: string) => stats[name] as readonly AllocatorStats[];

describe.each(names)('%s', (name) => {
  const truth = JSON.parse(fixture(`${name}.json.gz`).toString()) as Truth;
  const observed = jemallocRun(eventsFrom(fixture(`${name}.htrace.gz`)), truth.allocator, { check: 'samples' });
  observed.run.advance(Infinity);

  it('places every block where the real one does', () => {
    expect(observed.placements).toEqual(truth.placements);
  });

  it('makes the same system calls', () => {
    expect(observed.syscalls).toEqual(truth.syscalls);
  });

  it('has the same resident and mapped pages at every sample', () => {
    const pages = observed.run.samples.map((s) => [s.label, s.rssBytes / 1024, s.vszBytes / 1024]);
    expect(pages).toEqual(truth.samples.map((s) => [s.label, s.rss_kb, s.size_kb]));
  });

  it('has the same statistics at every sample: of the process, each arena, each bin, each large class', () => {
    truth.samples.forEach(({ jemalloc }, i) => {
      const { stats } = observed.run.samples[i]!;
      const { arenas, arena, bins, lextents, ...top } = jemalloc;
      const merged = stats['arenas'] as AllocatorStats;
      const seen = {
        ...like(top, stats),
        arenas: like(arenas, merged),
        arena: arena.map((one) =>
          like(
            one,
            rows(stats, 'arena').find((a) => a['arena'] === one['arena']),
          ),
        ),
        bins: bins.map((one) =>
          like(
            one,
            rows(merged, 'bins').find((b) => b['size'] === one['size']),
          ),
        ),
        lextents: lextents.map((one) =>
          like(
            one,
            rows(merged, 'lextents').find((b) => b['size'] === one['size']),
          ),
        ),
      };
      expect(seen).toEqual(jemalloc);
    });
  });

  it('puts every resident byte into one class', () => {
    for (const sample of observed.run.samples) expect(breakdownBytes(sample.breakdown)).toBe(sample.rssBytes);
  });
});
