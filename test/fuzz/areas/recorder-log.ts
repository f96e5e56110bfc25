import { traceOfImage } from '../../../workloads/recorder/image-trace.ts';
import { LOG } from '../../../workloads/recorder/log.ts';
import { createSymbolizer } from '../../../workloads/recorder/symbols/symbolizer.ts';
import { formatTrace } from '../../../workloads/trace/writer.ts';
import { type Area, defineArea } from '../area.ts';
import { corpusOf } from '../corpus.ts';
import { mutated } from '../mutation.ts';
import { orRefused } from '../refusal.ts';
import { scratchFile } from '../scratch.ts';

/** A record without a second argument: its operation (with a thread: + 128), ticks, step of the address, argument. */
const RECORDS = [
  [LOG.MALLOC + 128, 1, 5, 2, 24],
  [LOG.MALLOC + 128, 0, 9, 8, 40],
  [LOG.CALLOC, 3, 4, 8],
  [LOG.REALLOC_BEGIN, 2, 3, 100],
  [LOG.REALLOC_END, 2, 8, 100],
  [LOG.FREE, 1, 3, 0],
  [LOG.TRIM, 1, 0, 0],
  [LOG.MALLOC, 7, 22, 99],
  [LOG.EXIT, 1, 0, 0],
] as const;

const sampleLog = (count: number): Uint8Array => Uint8Array.from(RECORDS.slice(0, count).flat());

export const recorderLog: Area = defineArea({
  name: 'recorder',
  inputs: mutated([sampleLog(9), sampleLog(5), sampleLog(0), ...corpusOf('recorder')]),
  async check(bytes) {
    const path = scratchFile('recorded', bytes);
    const read = await orRefused(() =>
      traceOfImage({
        name: 'x',
        source: 'y',
        quantumNs: 10,
        samples: 3,
        nsPerTick: 1,
        pageBytes: 4096,
        parts: [{ path, ownPid: 1, startTicks: 0, untilSlot: Infinity }],
        forkThread: 0,
        clearsUpFirst: false,
        signal: undefined,
        symbolizer: createSymbolizer(),
        isRecorder: () => false,
        facts: (_start, threadNames) => ({
          command: 'x',
          process: undefined,
          environment: [],
          machine: [],
          mappings: [],
          threadNames,
        }),
      }),
    );
    if (read) for (const _ of formatTrace(read.events));
  },
  bytesOf: (bytes) => bytes,
});
