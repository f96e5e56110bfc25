import { crc32 } from 'node:zlib';
import { parseAllocator } from '../../../allocators/spec.ts';
import { escapeTerminal } from '../../../bench/report/escape.ts';
import { summaryText } from '../../../bench/report/text/summary.ts';
import { runInMode } from '../../../bench/run/run-in-mode.ts';
import type { EventBuffer } from '../../../sim/contract/event.ts';
import { encodeHtb } from '../../../workloads/trace/binary-writer.ts';
import { readTrace } from '../../../workloads/trace/reader.ts';
import { traceStatistics } from '../../../workloads/trace/statistics.ts';
import { createTraceParser } from '../../../workloads/trace/text/parser.ts';
import { formatTrace } from '../../../workloads/trace/writer.ts';
import { type Area, defineArea } from '../area.ts';
import { corpusOf } from '../corpus.ts';
import { withChecksums } from '../htb-checksums.ts';
import { mutated } from '../mutation.ts';
import { readsAsLong } from '../outcome.ts';
import { orRefused } from '../refusal.ts';
import { scratchFile } from '../scratch.ts';

/** A run costs as much as a hundred readings. */
const RUN_ONE_IN = 32;
/** So does the memory for a long text. */
const LONG_ONE_IN = 4;
const TEXTS = corpusOf('text');

function joined(chunks: Iterable<Uint8Array>): Buffer {
  return Buffer.concat([...chunks].map((chunk) => chunk.slice()));
}

function parsed(text: Uint8Array): EventBuffer {
  const parser = createTraceParser({ source: 'corpus', onViolation: () => {} });
  parser.push(text);
  return parser.finish();
}

/** What is taken is sound: it can be told, written, read again as the same, and run. */
async function checkTrace(events: EventBuffer): Promise<void> {
  traceStatistics(events);
  const text = joined(formatTrace(events));
  const again = await readTrace(scratchFile('again', text), {});
  const second = joined(formatTrace(again));
  if (!text.equals(second)) throw new Error('what is written and read again is another trace');
  if (events.length > 3000 || crc32(text) % RUN_ONE_IN !== 0) return;
  for (const [allocator, mode] of [
    ['glibc', 'lockstep'],
    ['zendmm', 'virtual'],
  ] as const) {
    const result = await runInMode({
      events,
      workload: events.name,
      spec: parseAllocator(allocator, 2),
      cpus: 2,
      mode,
      touch: 'none',
      check: 'samples',
    });
    escapeTerminal(summaryText(result));
  }
}

async function checkInput(bytes: Uint8Array): Promise<void> {
  const path = scratchFile('trace', bytes);
  for (const lenient of [false, true]) {
    const events = await orRefused(() => readTrace(path, { lenient }));
    if (events && !(lenient && events.skipped === 0)) await checkTrace(events);
  }
}

export const text: Area = defineArea({
  name: 'text',
  inputs: mutated(TEXTS),
  async check(bytes) {
    await checkInput(bytes);
    if (crc32(bytes) % LONG_ONE_IN === 0) readsAsLong(bytes, bytes.length + 1);
  },
  bytesOf: (bytes) => bytes,
});

export const htb: Area = defineArea({
  name: 'htb',
  inputs: mutated(
    TEXTS.map((trace) => joined(encodeHtb(parsed(trace)))),
    withChecksums,
  ),
  check: checkInput,
  bytesOf: (bytes) => bytes,
});
