import { crc32 } from 'node:zlib';

const PREAMBLE_BYTES = 20;
const WIDTHS: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4 };

interface Column {
  type: string;
  length: number;
  crc32: number;
}

/** Puts lengths and checksums of the binary form right, so that what is inside is looked at. */
export function withChecksums(bytes: Buffer): Buffer {
  if (bytes.length < PREAMBLE_BYTES) return bytes;
  const length = headerLength(bytes);
  const columns = bytes.subarray(PREAMBLE_BYTES + length);
  let header = bytes.subarray(PREAMBLE_BYTES, PREAMBLE_BYTES + length);
  try {
    const parsed = JSON.parse(header.toString()) as { columns: Column[] };
    let at = 0;
    for (const column of parsed.columns) {
      const end = at + column.length * (WIDTHS[column.type] ?? 1);
      column.crc32 = crc32(columns.subarray(at, end));
      at = end;
    }
    header = Buffer.from(JSON.stringify(parsed));
  } catch {
    // a header that is no JSON, or has no columns: its checksum alone
  }
  const preamble = Buffer.from(bytes.subarray(0, PREAMBLE_BYTES));
  preamble.writeUInt32LE(header.length, 12);
  preamble.writeUInt32LE(crc32(header), 16);
  return Buffer.concat([preamble, header, columns]);
}

/** Where the header ends: behind its last brace before the columns, wherever edits have moved it. */
function headerLength(bytes: Buffer): number {
  const said = bytes.readUInt32LE(12);
  const end = bytes.indexOf('}]}', PREAMBLE_BYTES);
  return end < 0 ? Math.min(said, bytes.length - PREAMBLE_BYTES) : end + 3 - PREAMBLE_BYTES;
}
