import { expect, test } from 'vitest';
import { OP_CLOCK, OP_MASK, OP_SAMPLE } from '../../sim/event.ts';
import { COUNTED_USE, createProgramOrder, RECORD_WORDS, AWAITS_USES } from '../../sim/replay/program-order.ts';
import { eventsOf } from '../helpers/bump-run.ts';

function orderOf(lines: readonly string[]) {
  const order = createProgramOrder(eventsOf(lines));
  const rowsOf = (t: number) => [...order.rows.slice(order.first[t], order.first[t + 1])];
  const at = (row: number) => {
    const index = order.rows.indexOf(row);
    const [word, slot] = order.records.slice(index * RECORD_WORDS);
    return {
      slot: slot!,
      need: order.need[index]!,
      awaits: (word! & AWAITS_USES) !== 0,
      counts: (word! & COUNTED_USE) !== 0,
    };
  };
  return { order, rowsOf, at };
}

test('each thread has its own events; samples and the clock belong to the thread of the event before', () => {
  const { order, rowsOf } = orderOf(['m 0 1 8', 'm 3 2 8', '+ 5', '= here', 'm 7 3 8', 'te 7', '= there', 'f 3 2']);
  expect([...order.ids]).toEqual([0, 3, 7]);
  expect(rowsOf(0)).toEqual([0, 6]);
  expect(rowsOf(1)).toEqual([1, 2, 3, 7]);
  expect(rowsOf(2)).toEqual([4, 5]);
  const ops = rowsOf(1).map((_, i) => order.records[(order.first[1]! + i) * RECORD_WORDS]! & OP_MASK);
  expect(ops.slice(1, 3)).toEqual([OP_CLOCK, OP_SAMPLE]);
});

test('a later life of a thread number follows the earlier one in the same list', () => {
  const { order, rowsOf } = orderOf(['m 1 1 8', 'te 1', 'm 2 2 8', 'm 1 3 8', 'te 1']);
  expect([...order.ids]).toEqual([0, 1, 2]);
  expect(rowsOf(1)).toEqual([0, 1, 3, 4]);
});

test('a free waits for the allocation and the writes, a write for the last realloc', () => {
  const { at } = orderOf(['m 1 1 8', 'w 2 1 0 4', 'w 3 1 0 4', 'r 2 1 16', 'w 1 1 0 4', 'f 3 1']);
  expect(at(0)).toMatchObject({ need: 0, awaits: false, counts: true });
  expect([1, 2, 3, 4, 5].map((row) => at(row).need)).toEqual([1, 1, 3, 4, 5]);
  expect(at(5).counts).toBe(false);
});

test('objects of one thread are not counted', () => {
  const { at } = orderOf(['m 1 1 8', 'w 1 1 0 4', 'f 1 1', 'm 2 1 8', 'f 3 1']);
  expect([0, 1, 2].map((row) => [at(row).awaits, at(row).counts])).toEqual(Array(3).fill([false, false]));
  expect(at(3)).toMatchObject({ awaits: false, counts: true });
  expect(at(4)).toMatchObject({ awaits: true, counts: false });
});

test('the program keeps its blocks in file order, four to a line of its table', () => {
  const { order } = orderOf([
    ...Array.from({ length: 6 }, (_, i) => `m ${i % 2} ${i} 8`),
    'r 0 0 16',
    'f 1 0',
    'f 0 5',
  ]);
  const lineOf = (row: number) => order.records[order.rows.indexOf(row) * RECORD_WORDS + 3];
  expect([0, 1, 2, 3, 4, 5].map(lineOf)).toEqual([0, 0, 0, 0, 1, 1]);
  expect(lineOf(7)).toBe(1); // where the realloc, the seventh, put it
  expect(lineOf(8)).toBe(1);
  expect(order.tableLines).toBe(2);
});

test('a slot is used again only by the thread that freed it', () => {
  const { at } = orderOf(['m 1 1 8', 'f 2 1', 'm 1 2 8', 'f 1 2', 'm 2 3 8', 'm 1 4 8', 'f 1 3', 'f 2 4']);
  expect(at(2).slot).not.toBe(at(0).slot);
  expect(at(4).slot).toBe(at(0).slot); // by thread 2, which freed it; both lives are shared ones
  expect(at(5).slot).not.toBe(at(2).slot); // a life that is shared does not follow one that is not
});

test('uses are counted over all lives of a slot, so that a later life waits for its own', () => {
  const { order, at } = orderOf(['m 1 1 8', 'f 2 1', 'm 2 2 8', 'f 1 2', 'm 1 3 8', 'f 2 3']);
  expect(order.crossThreadFrees).toBe(3);
  expect(at(4).slot).toBe(at(3).slot);
  expect([1, 3, 5].map((row) => at(row).need)).toEqual([1, 2, 3]);
});

test('a free without an allocation is refused by its event', () => {
  const events = eventsOf(['m 1 1 8', 'f 1 1']);
  const reversed = { ...events, head: events.head.slice(0, 2).reverse(), slot: events.slot.slice(0, 2).reverse() };
  expect(() => createProgramOrder(reversed)).toThrow(/event 0 frees an object that no earlier event allocates/);
});
