import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { runLockstep } from '../../../bench/run/modes/lockstep.ts';
import type { RunOptions } from '../../../bench/run/run-options.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import type { Explanation } from '../../../bench/study/explain/explanation.ts';
import { explanationText } from '../../../bench/study/explain/text.ts';
import { breakdownBytes } from '../../../sim/metrics/breakdown.ts';
import { resolveWorkload } from '../../../workloads/index.ts';
import { readTrace } from '../../../workloads/trace/reader.ts';
import { eventsOf } from '../../helpers/bump-run.ts';
import { freeLine, traceLines } from '../../helpers/extend-trace.ts';
import { requireShared } from '../../helpers/require.ts';

const folder = mkdtempSync(join(tmpdir(), 'allocsim-explain-'));
afterAll(() => rmSync(folder, { recursive: true }));
const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/explain/${name}`, import.meta.url));

async function options(trace: string, allocator: string): Promise<RunOptions> {
  return { events: await readTrace(trace), workload: 'trace', spec: parseAllocator(allocator, 2), cpus: 2 };
}

/** Resident bytes at the sample points of a trace with lines behind its end. */
async function extended(trace: string, allocator: string, lines: readonly string[]): Promise<Map<string, number>> {
  const { headers, events } = traceLines(trace);
  const path = join(folder, 'extended.htrace');
  writeFileSync(path, `${[...headers, ...events, ...lines].join('\n')}\n`);
  const { samples } = await runLockstep(await options(path, allocator));
  return new Map(samples.map((s) => [s.label, s.rssBytes]));
}

/** Replays the trace with the frees, and with a trim behind them, instead of undoing them. */
async function checkPinning(trace: string, allocator: string, groups: number): Promise<Explanation> {
  const e = explain({ ...(await options(trace, allocator)), whatIf: false, pinningGroups: groups });
  const { events } = traceLines(trace);
  const plain = await extended(trace, allocator, ['= now', 'trim 0 0', '= trimmed']);
  expect(plain.get('now')).toBe(e.sample.rssBytes);
  for (const group of e.pinning) {
    const frees = group.blocks.map((b) => freeLine(events, b.event, b.freedByThread));
    const after = await extended(trace, allocator, [...frees, '= freed', 'trim 0 0', '= trimmed']);
    expect(plain.get('now')! - after.get('freed')!).toBe(group.freeReturnsBytes);
    expect(plain.get('trimmed')! - after.get('trimmed')!).toBe(group.purgeReturnsBytes);
  }
  expect(e.pinning.map((g) => g.returnsBytes)).toEqual([...e.pinning.map((g) => g.returnsBytes)].sort((x, y) => y - x));
  expect(e.areas.reduce((sum, a) => sum + a.residentBytes, 0)).toBe(e.sample.rssBytes);
  for (const { name, kind, breakdown, residentBytes, wholeFree } of e.areas) {
    expect(breakdownBytes(breakdown), name).toBe(residentBytes);
    expect(wholeFree !== null, name).toBe(kind === 'heap');
    if (wholeFree) expect(Object.values(wholeFree).reduce((x, y) => x + y)).toBe(breakdown.returnable);
  }
  return e;
}

describe('explain under glibc', () => {
  const truth: Record<string, { rssBytes: number; afterTrimBytes: number }> = JSON.parse(
    readFileSync(fixture('trim-77.json'), 'utf8'),
  );
  test.each(Object.keys(truth))('what malloc_trim(0) would return at %s is what the real one returned', async (at) => {
    const e = explain({ ...(await options(fixture('trim-77.htrace.gz'), 'glibc@2.36')), at, whatIf: false });
    expect(e.sample.rssBytes).toBe(truth[at]!.rssBytes);
    expect(e.returns[0].returnsBytes).toBe(truth[at]!.rssBytes - truth[at]!.afterTrimBytes);
    expect(e.returns[0].byArea.reduce((sum, a) => sum + a.returnsBytes, 0)).toBe(e.returns[0].returnsBytes);
  });

  test.each(['mix-78', 'bins-79', 'trim-77'])('freeing what pins in %s returns what was said', async (name) => {
    const e = await checkPinning(fixture(`${name}.htrace.gz`), 'glibc@2.36', 5);
    expect(e.pinning.length).toBeGreaterThan(0);
  });

  test('a threshold that rises by itself is told with the block that raised it', () => {
    // 33 MiB is beyond what may raise it.
    expect(explain({ ...small(['m 0 1 34603008', 'f 0 1']), whatIf: false }).tunableChanges).toEqual([]);
    const raised = explain({ ...small(['m 0 1 31457280', 'f 0 1', 'm 0 2 20000000', 'm 0 3 24', 'f 0 2']) });
    expect(raised.tunableChanges).toMatchObject([
      { event: 1, causedBy: 'free', blockBytes: 31457280, changes: { mmap_threshold: [131072, 31461376] } },
    ]);
    const text = explanationText(raised);
    expect(text).toContain('The mmap threshold was raised from 128.0 KiB to 30.0 MiB');
    expect(raised.verdict.kind).toBe('retention by policy');
    expect(raised.verdict.advice?.setting).toMatch(/_threshold=131072$/);
  });

  test('a few small blocks at the end of an arena keep all of it, and are named', () => {
    const threads = Array.from({ length: 12 }, (_, t) => `m ${t + 1} ${900 + t} 100`);
    const large = Array.from({ length: 490 }, (_, i) => 1000 + i);
    const lines = [
      ...threads,
      ...large.map((id) => `m 12 ${id} 120000`),
      ...[5000, 5001, 5002].map((id) => `m 12 ${id} 4112`),
      ...large.map((id) => `f 12 ${id}`),
    ];
    const spec = parseAllocator('glibc@2.36', 8);
    const e = explain({ events: eventsOf(lines), workload: 'arena', spec, cpus: 8, whatIf: false });
    expect(e.pinning[0]).toMatchObject({ area: 'arena 12, heap 1', by: 'free', freeReturnsBytes: 58691584 });
    expect(explanationText(e).replace(/\s+/g, ' ')).toContain(
      '3 blocks of 4,112 bytes (first: event 502; thread 12) hold 56.0 MiB of arena 12, heap 1: freeing them alone gives that back (measured).',
    );
  });

  test('a threshold that is set, even to its default, freezes the other one, and that is said', () => {
    const lines = ['opt 0 M_TRIM_THRESHOLD 131072', 'm 0 1 31457280', 'f 0 1', 'm 0 2 20000000'];
    const e = explain({ ...small(lines), whatIf: false });
    expect(explanationText(e).replace(/\s+/g, ' ')).toContain(
      'The mmap threshold stopped adapting by mallopt(M_TRIM_THRESHOLD, 131072) at event 0',
    );
    const given = explain({ ...small(lines.slice(1), 'glibc:trim_threshold=131072'), whatIf: false });
    expect(explanationText(given).replace(/\s+/g, ' ')).toContain('The mmap threshold does not adapt in this run');
  });

  /** What was measured of the real program: the main heap above a raised threshold, not the arenas. */
  function checkLanczos(e: Explanation): void {
    const text = explanationText(e).replace(/\s+/g, ' ');
    expect(e.verdict.kind).toBe('retention by policy');
    expect(text).toMatch(/9\d\.\d % of the free resident bytes(, caches aside,)? lie in the main heap/);
    expect(text).toMatch(/It is not the \d+ arena heaps/);
    expect(text).toMatch(/The mmap threshold was raised from 128\.0 KiB to 31\.6 MiB/);
    const fixed = e.whatIf.find((w) => w.setting === 'mmap_threshold=131072')!;
    const arenas = e.whatIf.find((w) => w.setting === 'arena_max=2')!;
    expect(fixed.rssBytes).toBeLessThan(e.sample.rssBytes / 10);
    expect(arenas.rssBytes).toBeGreaterThan(e.sample.rssBytes / 2);
    expect(e.verdict.advice?.setting).toMatch(/_threshold=131072$/);
  }

  test('lanczos-im6: the main heap above a raised threshold, not the arenas; a fixed one brings it down', async () => {
    const { events, name } = await resolveWorkload('lanczos-im6');
    checkLanczos(explain({ events, workload: name, spec: parseAllocator('glibc@2.36', 2), cpus: 2 }));
  });

  test('the recorded lanczos-32t: the same', async (context) => {
    const trace = requireShared(context, 'traces/real/lanczos-32t.htrace.gz');
    checkLanczos(explain(await options(trace, 'glibc@2.36')));
  });

  test('the recorded trace trim: what is predicted at every growth is what a trim there returns', async (context) => {
    const trace = requireShared(context, 'traces/synthetic/trim.htrace.gz');
    const given = await options(trace, 'glibc@2.36');
    const { headers, events } = traceLines(trace);
    const stops = events.flatMap((line, row) => (line.startsWith('= grown') ? [row] : []));
    expect(stops.length).toBeGreaterThan(10);
    for (const row of stops) {
      const e = explain({ ...given, at: `#${row}`, whatIf: false, pinningGroups: 1 });
      const path = join(folder, 'grown.htrace');
      const lines = [...headers, ...events.slice(0, row + 1), 'trim 0 0', '= trimmed'];
      writeFileSync(path, `${lines.join('\n')}\n`);
      const { samples } = await runLockstep(await options(path, 'glibc@2.36'));
      const after = samples.find((s) => s.label === 'trimmed')!;
      expect(e.returns[0].returnsBytes).toBe(e.sample.rssBytes - after.rssBytes);
    }
  });

  for (const name of ['trim', 'mix', 'bins', 'threads32', 'exits']) {
    test(`the recorded trace ${name}: freeing what pins returns what was said`, async (context) => {
      await checkPinning(requireShared(context, `traces/synthetic/${name}.htrace.gz`), 'glibc@2.36', 2);
    });
  }
});

function small(lines: readonly string[], allocator = 'glibc@2.36'): RunOptions {
  return { events: eventsOf(lines), workload: 'small', spec: parseAllocator(allocator, 1), cpus: 1 };
}
