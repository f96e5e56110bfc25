import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { GlibcStats } from '../../allocators/ptmalloc/stats.ts';
import { mallocInfo } from '../../allocators/ptmalloc/views.ts';
import { breakdownBytes } from '../../sim/metrics/breakdown.ts';
import { eventsFrom, fixture, glibcRun } from './run.ts';

/** What the native replay saw under glibc 2.36; see the README of the fixtures. */
interface Truth {
  readonly allocator: string;
  /** RLIMIT_AS beyond what the replay itself had mapped. */
  readonly rlimitAs?: number;
  readonly placements: readonly string[];
  readonly syscalls: readonly string[];
  readonly samples: readonly {
    readonly label: string;
    readonly rss_kb: number;
    readonly size_kb: number;
    readonly glibc: Readonly<Record<string, number | string>>;
  }[];
}

const names = readdirSync(fileURLToPath(new URL('../fixtures/ptmalloc', import.meta.url)))
  .filter((name) => name.endsWith('.htrace.gz'))
  .map((name) => name.slice(0, -'.htrace.gz'.length));

describe.each(names)('%s', (name) => {
  const truth = JSON.parse(fixture(`${name}.json.gz`).toString()) as Truth;
  const observed = glibcRun(eventsFrom(fixture(`${name}.htrace.gz`)), truth.allocator, {
    check: 'samples',
    kernel: { rlimitAs: truth.rlimitAs ?? Infinity },
  });
  observed.run.advance(Infinity);
  observed.run.sample('(end)', observed.run.row);

  it('places every block where the real one does', () => {
    expect(observed.placements).toEqual(truth.placements);
  });

  it('makes the same system calls', () => {
    expect(observed.syscalls).toEqual(truth.syscalls);
  });

  it('has the same pages, mallinfo2 and malloc_info at every sample', () => {
    const seen = observed.run.samples.map((sample) => {
      const stats = sample.stats as GlibcStats;
      const { arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost } = stats;
      const mallinfo = { arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost };
      return {
        label: sample.label,
        rss_kb: sample.rssBytes / 1024,
        size_kb: sample.vszBytes / 1024,
        glibc: { ...mallinfo, malloc_info: mallocInfo(stats) },
      };
    });
    expect(seen).toEqual(truth.samples.map(({ label, rss_kb, size_kb, glibc }) => ({ label, rss_kb, size_kb, glibc })));
  });

  it('puts every resident byte into one class', () => {
    for (const sample of observed.run.samples) expect(breakdownBytes(sample.breakdown)).toBe(sample.rssBytes);
  });
});
