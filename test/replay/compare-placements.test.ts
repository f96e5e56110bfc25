import { expect, test } from 'vitest';
import { comparePlacements, parsePlacements } from '../../sim/replay/compare-placements.ts';

const placements = (...lines: string[]) => parsePlacements(Buffer.from(lines.map((line) => `${line}\n`).join('')));

test('a placement file is read to the last digit', () => {
  const { length, event, address, usable } = placements('0 55555556a2a0 24', '7 7effffffffff 4294967288', '8 0 0');
  expect(length).toBe(3);
  expect([...event.slice(0, 3)]).toEqual([0, 7, 8]);
  expect([...address.slice(0, 3)]).toEqual([0x55555556a2a0, 0x7effffffffff, 0]);
  expect([...usable.slice(0, 3)]).toEqual([24, 4294967288, 0]);
  expect(parsePlacements(new Uint8Array(0)).length).toBe(0);
});

test('a heap that starts elsewhere is identical, a mapping elsewhere only agrees', () => {
  const model = placements('0 100010 24', '1 100030 24', '2 7effff000010 5000');
  const real = placements('0 55555556a010 24', '1 55555556a030 24', '2 7effff001010 5000');
  expect(comparePlacements(model, real)).toEqual({
    total: 3,
    agree: 3,
    identical: 2,
    reasons: {},
    first: [{ event: 2, reason: undefined, model: [0x7effff000010, 5000], real: [0x7effff001010, 5000] }],
  });
});

test('a shift of everything by two pages agrees and is not identical', () => {
  const model = placements('0 100010 24', '1 105010 24', '2 106010 24');
  const real = placements('0 100010 24', '1 107010 24', '2 108010 24');
  const { agree, identical } = comparePlacements(model, real);
  expect([agree, identical]).toEqual([3, 1]);
});

test('each kind of disagreement is named', () => {
  const model = placements('0 100010 24', '1 100030 24', '2 0 0', '3 101010 24', '4 100050 24', '6 200010 24');
  const real = placements('0 100010 24', '1 100040 24', '2 300010 24', '3 101010 40', '5 100050 24', '6 100010 24');
  expect(comparePlacements(model, real)).toMatchObject({
    total: 7,
    agree: 1,
    identical: 1,
    reasons: {
      'offset in page': 1,
      'failed in one only': 1,
      'usable size': 1,
      'only in the model': 1,
      'only in the real one': 1,
      'another page': 1,
    },
  });
});

test('a pair of pages is remembered by agreeing events only, and never forgotten', () => {
  const model = placements('0 100010 24', '1 200010 24', '2 100020 24', '3 300010 24');
  // Event 1 disagrees by its size, so page 0x200 stays free for another partner; event 3 wants a page that is taken.
  const real = placements('0 100010 24', '1 500010 40', '2 100020 24', '3 100010 24');
  expect(comparePlacements(model, real).reasons).toEqual({ 'usable size': 1, 'another page': 1 });
});

test('two failures agree; an empty trace agrees', () => {
  expect(comparePlacements(placements('3 0 0'), placements('3 0 0'))).toMatchObject({
    total: 1,
    agree: 1,
    identical: 1,
  });
  expect(comparePlacements(placements(), placements())).toMatchObject({ total: 0, agree: 0, identical: 0 });
});
