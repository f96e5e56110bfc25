import { emptyLogHeader, logBytes, readLog, RECORD_BYTES } from '../../../workloads/recorder/log.ts';
import { formatTrace } from '../../../workloads/trace/writer.ts';
import { type Area, defineArea } from '../area.ts';
import { mutated } from '../mutation.ts';
import { orRefused } from '../refusal.ts';
import { scratchFile } from '../scratch.ts';

/** ns, address, a, b, thread, op: see record.c. */
const RECORDS = [
  [10, 0x1000, 24, 0, 1, 1],
  [20, 0x2000, 3, 8, 2, 2],
  [30, 0x4000, 64, 100, 1, 3],
  [40, 0x1000, 0, 0, 1, 4],
  [50, 0x3000, 500, 0, 1, 5],
  [60, 0x2000, 0, 0, 1, 6],
  [70, 0, 0, 0, 2, 7],
  [80, 0x5000, 9, 0, 2, 1],
  [90, 0x3000, 0, 0, 1, 6],
] as const;

function sampleLog(count: number): Uint8Array {
  const bytes = Buffer.alloc(logBytes(RECORDS.length));
  bytes.set(emptyLogHeader(RECORDS.length));
  bytes.writeBigUInt64LE(BigInt(count), 8);
  RECORDS.slice(0, count).forEach(([ns, address, a, b, thread, op], i) => {
    const at = logBytes(0) + i * RECORD_BYTES;
    [ns, address, a, b].forEach((value, word) => bytes.writeBigUInt64LE(BigInt(value), at + 8 * word));
    bytes.writeUInt32LE(thread, at + 32);
    bytes.writeUInt32LE(op, at + 36);
  });
  return bytes;
}

export const recorderLog: Area = defineArea({
  name: 'recorder',
  inputs: mutated([sampleLog(9), sampleLog(5), sampleLog(0)]),
  async check(bytes) {
    const path = scratchFile('recorded', bytes);
    const read = await orRefused(() => readLog(path, { name: 'x', source: 'y', quantumNs: 10, samples: 3 }));
    if (read) for (const _ of formatTrace(read.events));
  },
  bytesOf: (bytes) => bytes,
});
