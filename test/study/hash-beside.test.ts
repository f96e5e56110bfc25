import { afterEach, describe, expect, it, vi } from 'vitest';
import { benchTrace } from '../../bench/benchmark/traces.ts';
import { openFinishedRuns } from '../../bench/study/parallel/finished-runs.ts';
import { hashBeside } from '../../bench/study/parallel/hash-beside.ts';
import { type RunTask, runTask } from '../../bench/study/parallel/run-task.ts';
import { hasTraceHash, traceHash } from '../../bench/study/parallel/trace-content.ts';
import { CLI_BUILT } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

afterEach(() => void vi.unstubAllEnvs());

describe.runIf(CLI_BUILT)('the hash of a long trace', () => {
  it('is made by another thread, and is what this one would have made', async () => {
    const events = benchTrace('hit-dominated', 2.1e6, false);
    await Promise.all([hashBeside(events), hashBeside(events)]);
    expect(hasTraceHash(events)).toBe(true);
    expect(traceHash(events)).toBe(traceHash({ ...events }));
  });

  it('is given up when a signal comes, without an error', async () => {
    const events = benchTrace('hit-dominated', 2.1e6, false);
    const ended = new AbortController();
    const hashing = hashBeside(events, ended.signal);
    ended.abort();
    await hashing;
    expect(hasTraceHash(events)).toBe(false);
  });

  it('is not made for runs that wait for it when the batch comes to its end', async () => {
    vi.stubEnv('XDG_CACHE_HOME', temporaryFolder());
    const events = benchTrace('hit-dominated', 1000, false);
    const task: RunTask = {
      events,
      workload: 'w',
      parameters: {},
      allocator: 'glibc',
      cpus: 1,
      mode: 'lockstep',
      pace: 'asap',
      seed: 0,
    };
    const runs = openFinishedRuns(true);
    const putting = runs.put(task, await runTask(task));
    runs.giveUp();
    await putting;
    expect(hasTraceHash(events)).toBe(false);
    expect(await openFinishedRuns(true).get(task)).toBeUndefined();
    await openFinishedRuns(true).put(task, await runTask(task)); // its hash is known by now
    expect(await openFinishedRuns(true).get(task)).toBeDefined();
  });

  it('of a short one is left to whoever needs it', async () => {
    const events = benchTrace('hit-dominated', 1000, false);
    await hashBeside(events);
    expect(hasTraceHash(events)).toBe(false);
  });
});
