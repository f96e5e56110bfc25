import { describe, expect, it } from 'vitest';
import { benchTrace } from '../../bench/benchmark/traces.ts';
import { hashBeside } from '../../bench/study/parallel/hash-beside.ts';
import { hasTraceHash, traceHash } from '../../bench/study/parallel/trace-content.ts';
import { CLI_BUILT } from '../helpers/cli.ts';

describe.runIf(CLI_BUILT)('the hash of a long trace', () => {
  it('is made by another thread, and is what this one would have made', async () => {
    const events = benchTrace('hit-dominated', 2.1e6, false);
    await Promise.all([hashBeside(events), hashBeside(events)]);
    expect(hasTraceHash(events)).toBe(true);
    expect(traceHash(events)).toBe(traceHash({ ...events }));
  });

  it('of a short one is left to whoever needs it', async () => {
    const events = benchTrace('hit-dominated', 1000, false);
    await hashBeside(events);
    expect(hasTraceHash(events)).toBe(false);
  });
});
