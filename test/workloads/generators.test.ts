import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../sim/contract/assert.ts';
import { createEventBuilder } from '../../workloads/builder.ts';
import { resolveWorkload, WORKLOADS } from '../../workloads/index.ts';
import { traceStatistics } from '../../workloads/trace/statistics.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { viewOf } from './naive-trace.ts';

/** Each workload small enough for a test. */
const SMALL: Readonly<Record<string, string>> = {
  'lanczos-32t': 'height=64,width=100,threads=5,sizes=30x20+200x100,requests=2',
  'lanczos-im6': 'height=300,width=900,sizes=600x200+1200x400',
  rows: 'threads=3,rounds=20',
  'xmalloc-test': 'pairs=2,batches=5,batch=20,size=0',
  larson: 'threads=3,blocks=50,replacements=60',
  'producer-consumer': 'messages=300',
  server: 'requests=40,sessions=10',
  fragmenter: 'rounds=3,bytes=64K',
  spike: 'threads=3,bytes=64K,busy=1',
  'php-concat': 'bytes=64K',
  'php-pool': 'requests=3',
  stress: 'events=2000',
  'alloc-test': 'slots=2000,steps=3000',
  mstress: 'threads=3,scale=2,iterations=1,transfers=50',
  rptest: 'threads=3,loops=5,allocs=100',
  sh6bench: 'threads=3,calls=100,rounds=2',
  sh8bench: 'threads=3,iterations=5,heap=2000,foreign=500',
  'cache-scratch': 'threads=3,iterations=50',
};

const specOf = (name: string) => (SMALL[name] === undefined ? name : `${name}:${SMALL[name]}`);

describe.each(WORKLOADS.map((workload) => workload.name))('workload %s', (name) => {
  it('keeps the rules of traces, and its text is the same trace', async () => {
    const { events } = await resolveWorkload(specOf(name));
    expect(events.skipped).toBe(0);
    expect(events.length).toBeGreaterThan(20);
    const parser = createTraceParser({ source: name });
    for (const chunk of formatTrace(events)) parser.push(chunk);
    expect(viewOf(parser.finish())).toEqual(viewOf(events));
  });

  it('is the same for the same parameters, and another for another seed', async () => {
    const text = async (seed?: number) => {
      const { events } = await resolveWorkload(specOf(name), seed === undefined ? {} : { seed });
      return Buffer.concat([...formatTrace(events)]).toString();
    };
    const first = await text();
    expect(await text()).toBe(first);
    const hasSeed = WORKLOADS.find((w) => w.name === name)!.parameters.some((p) => p.name === 'seed');
    if (hasSeed && SMALL[name]) expect(await text(1)).not.toBe(first);
  });

  it('names every parameter with its unit, its bounds and a default within them', () => {
    for (const parameter of WORKLOADS.find((w) => w.name === name)!.parameters) {
      expect(parameter.about).not.toBe('');
      if (parameter.kind === 'text') expect(parameter.problem(parameter.default)).toBeUndefined();
      else expect(parameter.default >= parameter.min && parameter.default <= parameter.max).toBe(true);
    }
  });
});

describe('lanczos-32t', () => {
  it('is the article’s job by default', async () => {
    const { events, cpus, parameters } = await resolveWorkload('lanczos-32t');
    const statistics = traceStatistics(events);
    expect(cpus).toBe(32);
    expect(parameters).toMatchObject({ threads: 32, width: 3840, height: 2160, requests: 1, seed: 0 });
    expect(statistics.threads).toBe(33);
    expect(statistics.eventCounts['m']).toBe(15 * 2160 * 3 + 15 + 1);
    expect(statistics.labels).toHaveLength(16);
    expect(statistics.labels.slice(3, 5)).toEqual(['size-1920x1080', 'size-3840x2160']);
    expect(statistics.crossThreadFrees).toBe(0);
    // The source, a result of the same size, and a row's buffers of each thread at most.
    expect(statistics.requestedPeakBytes).toBeGreaterThan(2 * 66355200);
    expect(statistics.requestedPeakBytes).toBeLessThanOrEqual(2 * 66355200 + 32 * 3 * 30720);
  });

  it('interleaves its threads', async () => {
    const { events } = await resolveWorkload('lanczos-32t:threads=8,sizes=400x300');
    const threads = viewOf(events).rows.map((row) => row.thread);
    const switches = threads.filter((thread, i) => i > 0 && thread !== threads[i - 1]).length;
    expect(switches / threads.length).toBeGreaterThan(0.8);
  });
});

describe('lanczos-im6', () => {
  it('has the threads and blocks of the recorded run', async () => {
    const { events } = await resolveWorkload('lanczos-im6');
    const statistics = traceStatistics(events);
    // Recorded: 31 threads, 15 at once, 21 exits, 192.4 MiB, 1.3 % freed by another thread.
    expect(statistics.threads).toBe(31);
    expect(statistics.threadsPeak).toBe(15);
    expect(statistics.eventCounts['te']).toBe(21);
    expect(statistics.requestedPeakBytes / 2 ** 20).toBeCloseTo(192, 0);
    expect(statistics.crossThreadFrees / statistics.frees).toBeCloseTo(0.013, 2);
  });

  it('has them of another recorded run, which enlarges, as well', async () => {
    const sizes = '8192x4608+9216x5184+8192x2160+10240x3000+9000x1200+4096x2304+1200x900+8192x4608';
    const { events } = await resolveWorkload(`lanczos-im6:sizes=${sizes}`);
    const statistics = traceStatistics(events);
    // Recorded: 129 threads, 32 at once, 97 exits, 701.8 MiB.
    expect(statistics.threads).toBe(129);
    expect(statistics.threadsPeak).toBe(32);
    expect(statistics.eventCounts['te']).toBe(97);
    expect((statistics.requestedPeakBytes / 2 ** 20).toFixed(1)).toBe('701.8');
    const steps = viewOf(events)
      .rows.map((row) => row.event)
      .filter((event) => event === 'tb' || event === 'te');
    const runs = steps
      .join('')
      .match(/(tb)+|(te)+/g)!
      .map((run) => `${run.slice(0, 2)} ${run.length / 2}`);
    expect(runs.join(', ')).toBe('tb 31, te 12, tb 12, te 24, tb 24, te 21, tb 21, te 27, tb 11, te 13, tb 29');
  });

  it('stages what the recorded run staged', async () => {
    const path = new URL('../../workloads/samples/lanczos-3-sizes.htrace.gz', import.meta.url);
    const recorded = gunzipSync(readFileSync(path)).toString();
    const { events } = await resolveWorkload('lanczos-im6');
    const generated = Buffer.concat([...formatTrace(events)]).toString();
    const largeBlocks = (text: string) =>
      [...text.matchAll(/^a \d+ \d+ 64 (\d+)$/gm)].map((m) => Number(m[1])).filter((n) => n > 8192);
    const known = new Set(largeBlocks(generated));
    for (const size of largeBlocks(recorded)) expect(known, `${size} bytes`).toContain(size);
  });
});

describe('names and parameters', () => {
  it.each([
    ['lanczos-33t', /^found workload 'lanczos-33t', expected .* \(did you mean 'lanczos-32t'\?\)$/],
    ['rows:thread=3', /^rows: found parameter 'thread', expected one of threads, .* \(did you mean 'threads'\?\)$/],
    ['rows:threads', /^rows: found 'threads', expected threads=value$/],
    ['rows:threads=many', /^rows: found threads=many, expected an integer from 1 to 4096 \(threads\)$/],
    ['rows:threads=0', /^rows: found threads=0, expected an integer from 1/],
    ['rows:threads=1.5', /^rows: found threads=1\.5, expected an integer/],
    ['rows:size=5G', /^rows: found size=5G, expected an integer from 0 to 4294967295 \(bytes\)$/],
    ['lanczos-32t:sizes=4x5x6', /^lanczos-32t: found sizes=4x5x6, expected sizes as 400x300\+800x600/],
    ['larson:min=9,max=8', /^larson: found min=9 above max=8/],
    ['rows:rounds=100000000', /events, expected at most 268435456$/],
    ['lanczos-im6:width=65536,height=65536', /found a block of more than 4294967295 bytes/],
    ['./no-such-file', /^\.\/no-such-file: found no such file, expected a trace file$/],
  ])('%s is refused', async (spec, message) => {
    await expect(resolveWorkload(spec)).rejects.toThrow(UserError);
    await expect(resolveWorkload(spec)).rejects.toThrow(message);
  });

  it('take units, and the seed from outside unless it is named', async () => {
    expect((await resolveWorkload('rows:size=30K,rounds=2', { seed: 7 })).parameters).toMatchObject({
      size: 30720,
      seed: 7,
    });
    expect((await resolveWorkload('rows:rounds=2,seed=3', { seed: 7 })).parameters).toMatchObject({ seed: 3 });
  });
});

describe('the builder', () => {
  it('holds its generators to the rules', () => {
    const events = createEventBuilder({ name: 'test' });
    const block = events.malloc(0, 10);
    events.free(1, block);
    expect(() => events.free(0, block)).toThrow(/event 2 of workload test breaks a rule/);
    expect(() => events.realloc(0, block, 5)).toThrow(/reallocates a dead block/);
  });
});
