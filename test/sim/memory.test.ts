import { expect, test } from 'vitest';
import { Memory } from '../../sim/contract/memory.ts';

test('a snapshot copies the used part and restore zeroes what came after', () => {
  const memory = new Memory();
  const counter = memory.int32('counter', 1);
  const words = memory.int32('words', 1 << 28, () => counter[0]!); // 1 GiB: must not be copied whole
  counter[0] = 2;
  words[0] = 11;
  words[1] = 12;
  const snapshot = memory.snapshot();
  counter[0] = 4;
  words.set([21, 22, 23, 24]);
  memory.restore(snapshot);
  expect([...words.subarray(0, 5)]).toEqual([11, 12, 0, 0, 0]);
  expect(counter[0]).toBe(2);
});

test('what was zero is zero again, what was not has its bytes again, wherever both lie', () => {
  const memory = new Memory();
  const bytes = new Uint8Array(memory.reserve('bytes', 300_001));
  const written = [0, 65_535, 65_536, 140_000, 262_143, 300_000];
  written.forEach((at, i) => void (bytes[at] = i + 1));
  const before = bytes.slice();
  const snapshot = memory.snapshot();
  for (const change of [() => bytes.fill(7), () => bytes.fill(0), () => void (bytes[200_000] = 1)]) {
    change();
    memory.restore(snapshot);
    expect(Buffer.compare(bytes, before)).toBe(0);
  }
});

test('a worker gets the same buffers by name', () => {
  const memory = new Memory();
  memory.int32('state', 4)[2] = 7;
  const attached = new Memory(memory.buffers());
  expect(attached.attached).toBe(true);
  expect(attached.int32('state', 4)[2]).toBe(7);
  expect(() => attached.int32('other', 1)).toThrow('other is missing');
});

test('a name is reserved once', () => {
  const memory = new Memory();
  memory.int32('state', 1);
  expect(() => memory.int32('state', 1)).toThrow('reserved twice');
});
