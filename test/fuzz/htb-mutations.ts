import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { applyEdit, edit } from './mutations.ts';

/** The binary form taken apart, changed, and put together with checksums that are right: only its contents are wrong. */

interface Part {
  header: Record<string, unknown>;
  version: number;
  columns: Buffer[];
}

const WIDTH: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4 };

function takeApart(bytes: Uint8Array): Part {
  const file = Buffer.from(bytes);
  const length = file.readUInt32LE(12);
  const header = JSON.parse(file.subarray(20, 20 + length).toString()) as Record<string, unknown>;
  let at = 20 + length;
  const columns = (header['columns'] as { type: string; length: number }[]).map((column) => {
    const end = at + column.length * WIDTH[column.type]!;
    const values = file.subarray(at, end);
    at = end;
    return values;
  });
  return { header, version: file.readUInt32LE(8), columns };
}

function putTogether({ header, version, columns }: Part): Buffer {
  if (Array.isArray(header['columns'])) {
    for (const [i, column] of (header['columns'] as unknown[]).entries()) {
      if (typeof column !== 'object' || column === null || !columns[i]) continue;
      (column as { crc32: number }).crc32 = crc32(columns[i]!);
    }
  }
  const text = Buffer.from(JSON.stringify(header));
  const preamble = Buffer.from('896874620d0a1a0a000000000000000000000000', 'hex');
  preamble[3] = 0x62;
  preamble.writeUInt32LE(version, 8);
  preamble.writeUInt32LE(text.length, 12);
  preamble.writeUInt32LE(crc32(text), 16);
  return Buffer.concat([preamble, text, ...columns]);
}

const odd = fc.constantFrom<unknown>(
  0, 1, 2, 3, 7, -1, 0.5, 2 ** 29, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, null, true, 'u8', 'toString', '__proto__', 'head', 'a.rows', '', 'a\nb', [], {}, [[]], [null], [{}],
); // biome-ignore format: a list

/** A value somewhere in the header, by a walk that takes the `path`-th of what there is at each level. */
function replace(header: unknown, path: readonly number[], value: unknown): void {
  let place = header as Record<string, unknown>;
  for (const [depth, step] of path.entries()) {
    const keys = Object.keys(place);
    if (keys.length === 0) return;
    const key = keys[step % keys.length]!;
    const inner = place[key];
    if (depth === path.length - 1 || typeof inner !== 'object' || inner === null) {
      place[key] = value;
      return;
    }
    place = inner as Record<string, unknown>;
  }
}

const change = fc.oneof(
  fc.record({
    kind: fc.constant('header' as const),
    path: fc.array(fc.nat(40), { minLength: 1, maxLength: 4 }),
    value: odd,
  }),
  fc.record({
    kind: fc.constant('value' as const),
    column: fc.nat(30),
    at: fc.nat(400),
    value: fc.constantFrom(0, 1, 2, 3, 5, 9, 31, 63, 64, 127, 254, 255, 65535, 4294967295),
  }),
  fc.record({ kind: fc.constant('bytes' as const), column: fc.nat(30), edit }),
  fc.record({ kind: fc.constant('order' as const), column: fc.nat(30), other: fc.nat(30) }),
  fc.record({ kind: fc.constant('version' as const), version: fc.constantFrom(1, 2) }),
);

export function mutatedHtb(corpus: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.constantFrom(...corpus), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([bytes, changes]) => {
      const part = takeApart(bytes);
      for (const each of changes) {
        const { columns } = part;
        if (each.kind === 'version') part.version = each.version;
        else if (each.kind === 'header') replace(part.header, each.path, each.value);
        else if (each.kind === 'order') {
          const list = part.header['columns'];
          if (!Array.isArray(list) || list.length === 0) continue;
          const [i, j] = [each.column % list.length, each.other % list.length];
          [list[i], list[j]] = [list[j], list[i]];
          [columns[i], columns[j]] = [columns[j] ?? Buffer.alloc(0), columns[i] ?? Buffer.alloc(0)];
        } else {
          const i = each.column % columns.length;
          const values = Buffer.from(columns[i]!);
          if (each.kind === 'bytes') columns[i] = Buffer.from(applyEdit(values, each.edit));
          else {
            const list = part.header['columns'];
            const type = (Array.isArray(list) ? list[i] : undefined) as { type?: string } | null | undefined;
            const width = WIDTH[type?.type ?? ''] ?? 1;
            const count = Math.floor(values.length / width);
            if (count > 0) values.writeUIntLE(each.value % 2 ** (8 * width), (each.at % count) * width, width);
            columns[i] = values;
          }
        }
      }
      return putTogether(part);
    });
}
