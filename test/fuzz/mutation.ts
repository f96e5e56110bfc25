import fc from 'fast-check';

/** Numbers at which code changes its mind. */
const NUMBERS = [
  '0', '1', '-1', '7', '255', '256', '4095', '65536', '2147483647', '2147483648', '4294967295', '4294967296',
  '9007199254740991', '9007199254740992', '18446744073709551615', '1e9', '0x10', '-0', '', 'NaN', '00', '1.5', '１',
]; // biome-ignore format: a list
/** Bytes that mean something to somebody. */
const WORDS = [
  '\n', '\r\n', '\0', '\u2028', '\u0085', '\ufeff', ' ', '\t', ',', ':', '=', '#', '%', '"', '<', '@', '\u001b[31m', '\ud83d\ude00',
].map((text) => Buffer.from(text)); // biome-ignore format: a list

type Edit =
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'delete' | 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'word'; readonly at: number; readonly word: number }
  | {
      readonly kind: 'splice';
      readonly at: number;
      readonly from: number;
      readonly start: number;
      readonly length: number;
    }
  | { readonly kind: 'number'; readonly which: number; readonly value: number }
  | { readonly kind: 'lines'; readonly which: number; readonly other: number; readonly copy: boolean }
  | { readonly kind: 'word32'; readonly at: number; readonly value: number }
  | { readonly kind: 'cut'; readonly at: number };

const place = fc.nat(1 << 20);
const short = fc.integer({ min: 1, max: 40 });
const editIn = (corpus: number): fc.Arbitrary<Edit> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('set' as const), at: place, byte: fc.nat(255) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('delete' as const, 'repeat' as const), at: place, length: short }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('word' as const), at: place, word: fc.nat(WORDS.length - 1) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('splice' as const),
        at: place,
        from: fc.nat(corpus - 1),
        start: place,
        length: fc.nat(400),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('number' as const), which: place, value: fc.nat(NUMBERS.length - 1) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('lines' as const), which: place, other: place, copy: fc.boolean() }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('word32' as const),
        at: place,
        value: fc.constantFrom(0, 1, 2, 31, 255, 65535, 2 ** 31, 2 ** 32 - 1),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at: place }) },
  );

function apply(bytes: Buffer, edit: Edit, corpus: readonly Uint8Array[]): Buffer {
  const in_ = (at: number) => (bytes.length === 0 ? 0 : at % bytes.length);
  const replace = (from: number, to: number, by: Uint8Array) =>
    Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]);
  switch (edit.kind) {
    case 'set':
      return replace(in_(edit.at), in_(edit.at) + 1, Uint8Array.of(edit.byte));
    case 'flip':
      return replace(in_(edit.at), in_(edit.at) + 1, Uint8Array.of((bytes[in_(edit.at)] ?? 0) ^ (1 << edit.bit)));
    case 'delete':
      return replace(in_(edit.at), in_(edit.at) + edit.length, Buffer.alloc(0));
    case 'repeat': {
      const at = in_(edit.at);
      return replace(at, at, bytes.subarray(at, at + edit.length));
    }
    case 'word':
      return replace(in_(edit.at), in_(edit.at), WORDS[edit.word]!);
    case 'splice': {
      const other = corpus[edit.from]!;
      const start = other.length === 0 ? 0 : edit.start % other.length;
      return replace(in_(edit.at), in_(edit.at), other.subarray(start, start + edit.length));
    }
    case 'number': {
      const numbers = [...bytes.toString('latin1').matchAll(/\d+/g)];
      const found = numbers[edit.which % Math.max(1, numbers.length)];
      return found ? replace(found.index, found.index + found[0].length, Buffer.from(NUMBERS[edit.value]!)) : bytes;
    }
    case 'lines': {
      const lines = bytes.toString('latin1').split('\n');
      const [line] = edit.copy ? [lines[edit.which % lines.length]!] : lines.splice(edit.which % lines.length, 1);
      lines.splice(edit.other % (lines.length + 1), 0, line!);
      return Buffer.from(lines.join('\n'), 'latin1');
    }
    case 'word32': {
      const word = Buffer.alloc(4);
      word.writeUInt32LE(edit.value);
      const at = in_(edit.at) & ~3;
      return replace(at, at + 4, word);
    }
    case 'cut':
      return bytes.subarray(0, in_(edit.at));
  }
}

/** Members of a corpus with a few edits; shrinks to few of them. `repair` puts right what would end every check at once. */
export function mutated(
  corpus: readonly Uint8Array[],
  repair: (bytes: Buffer) => Buffer = (bytes) => bytes,
): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.nat(corpus.length - 1), fc.array(editIn(corpus.length), { maxLength: 6 }), fc.boolean())
    .map(([base, edits, repaired]) => {
      const bytes = edits.reduce<Buffer>((b, edit) => apply(b, edit, corpus), Buffer.from(corpus[base]!));
      return repaired ? repair(bytes) : bytes;
    });
}
