import { describe, expect, it } from 'vitest';
import { readTrace } from '../../workloads/trace/reader.ts';
import { traceStatistics } from '../../workloads/trace/statistics.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { requireShared } from '../helpers/require.ts';

describe('what is in a trace', () => {
  it('is counted', () => {
    const parser = createTraceParser({ source: 'T' });
    const lines = ['m 0 1 10', 'c 1 2 3 100', 'f 1 1', 'r 0 2 50', '+ 5', 'te 1', 'm 2 3 7', 'f 2 3', '= x', 'f 2 2'];
    parser.push(new TextEncoder().encode(`%htrace 1\n${lines.join('\n')}\nm 0 9 1000\n`));
    expect(traceStatistics(parser.finish())).toMatchObject({
      events: 11,
      eventCounts: { m: 3, f: 3, c: 1, r: 1, '+': 1, '=': 1, te: 1 },
      threads: 3,
      threadsPeak: 2,
      recordedNs: 5,
      allocations: 5,
      allocatedBytes: 10 + 300 + 50 + 7 + 1000,
      requestedPeakBytes: 1000,
      liveBlocksPeak: 2,
      liveBlocksAtEnd: 1,
      liveBytesAtEnd: 1000,
      frees: 3,
      crossThreadFrees: 2, // object 1 by thread 1, object 2 of thread 1 by thread 2
      sizes: [
        { upTo: 7, blocks: 1, bytes: 7 },
        { upTo: 15, blocks: 1, bytes: 10 },
        { upTo: 63, blocks: 1, bytes: 50 },
        { upTo: 511, blocks: 1, bytes: 300 },
        { upTo: 1023, blocks: 1, bytes: 1000 },
      ],
      labels: ['x'],
    });
  });

  it('agrees with what its recorder’s own checker says of a real trace', async (context) => {
    const folder = requireShared(context, 'traces/real');
    const statistics = traceStatistics(await readTrace(`${folder}/lanczos-32t.htrace.gz`));
    expect(statistics.threads).toBe(31);
    expect(statistics.threadsPeak).toBe(15);
    expect((statistics.requestedPeakBytes / 2 ** 20).toFixed(1)).toBe('192.4');
    expect((statistics.recordedNs / 1e9).toFixed(2)).toBe('2.66');
    expect(((100 * statistics.crossThreadFrees) / statistics.frees).toFixed(1)).toBe('1.3');
  });
});
