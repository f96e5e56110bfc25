import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OP_CLOCK, OP_MASK, OP_SAMPLE } from '../../sim/contract/event.ts';
import {
  argumentOf,
  isUse,
  needOf,
  OF_OTHERS,
  RECORD_WORDS,
  secondArgumentOf,
  slotOf,
} from '../../sim/replay/program-order.ts';
import { readProgramOrder } from '../../sim/replay/program-order-reader.ts';
import { eventsOf } from '../helpers/bump-run.ts';

/** The whole order of a trace: each thread's rows, and by row what its event is. */
function orderOf(lines: readonly string[]) {
  const program = readProgramOrder(eventsOf(lines));
  const { order } = program;
  const positions = new Map<number, number>();
  const rows = Array.from(order.ids, (_, t) => {
    const own: number[] = [];
    for (let p = program.next(t, order.first[t]!); p > 0; p = program.next(t, p + RECORD_WORDS)) {
      const row = program.rowOf(t, own.length);
      positions.set(row, p);
      own.push(row);
    }
    return own;
  });
  const at = (row: number) => {
    const p = positions.get(row)!;
    const word = order.records[p];
    const op = word! & OP_MASK;
    const slot = slotOf(order, p);
    return {
      op,
      slot,
      argument: argumentOf(order, p),
      second: secondArgumentOf(order, p),
      need: needOf(order, p),
      ofOthers: (word! & OF_OTHERS) !== 0,
      counts: isUse(op, slot, argumentOf(order, p)),
    };
  };
  return { program, order, rowsOf: (t: number) => rows[t]!, at };
}

test('each thread has its own events; samples and the clock belong to the thread of the event before', () => {
  const { order, rowsOf, at } = orderOf(['m 0 1 8', 'm 3 2 8', '+ 5', '= here', 'm 7 3 8', 'te 7', '= there', 'f 3 2']);
  expect([...order.ids]).toEqual([0, 3, 7]);
  expect(rowsOf(0)).toEqual([0]);
  expect(rowsOf(1)).toEqual([1, 2, 3, 7]);
  expect(rowsOf(2)).toEqual([4, 5, 6]);
  expect([2, 3].map((row) => at(row).op)).toEqual([OP_CLOCK, OP_SAMPLE]);
  expect(at(3).second).toBe(3); // a sample knows its row
});

test('a later life of a thread number follows the earlier one in the same list', () => {
  const { order, rowsOf } = orderOf(['m 1 1 8', 'te 1', 'm 2 2 8', 'm 1 3 8', 'te 1']);
  expect([...order.ids]).toEqual([0, 1, 2]);
  expect(rowsOf(1)).toEqual([0, 1, 3, 4]);
});

test('sizes and numbers of uses of any magnitude are kept', () => {
  const sizes = [0, 1, 65534, 65535, 65536, 4294967295];
  const { at } = orderOf([
    ...sizes.map((size, i) => `m ${i} ${i + 1} ${size}`),
    'm 0 9 8',
    ...Array.from({ length: 65_535 }, () => 'w 0 9 0 1'),
    'f 0 9',
  ]);
  expect(sizes.map((_, i) => at(i).argument)).toEqual(sizes);
  expect(at(sizes.length + 65_536).need).toBe(65_536);
});

test('a free waits for the allocation and the writes, a write for the last realloc', () => {
  const { at } = orderOf(['m 1 1 8', 'w 2 1 0 4', 'w 3 1 0 4', 'r 2 1 16', 'w 1 1 0 4', 'f 3 1']);
  expect(at(0)).toMatchObject({ need: 0, ofOthers: false, counts: true });
  expect([1, 2, 3, 4, 5].map((row) => at(row).need)).toEqual([1, 1, 3, 4, 5]);
  expect(at(5).counts).toBe(false);
});

test('a block is of others from the first use by another thread on', () => {
  const { at } = orderOf(['m 1 1 8', 'w 1 1 0 4', 'f 1 1', 'm 2 1 8', 'w 2 1 0 4', 'w 3 1 0 4', 'w 2 1 0 4', 'f 2 1']);
  expect([0, 1, 2, 3, 4, 5, 6, 7].map((row) => at(row).ofOthers)).toEqual([...Array(5).fill(false), true, true, true]);
});

test('a slot is used again only by the thread that freed it', () => {
  const { at } = orderOf(['m 1 1 8', 'f 2 1', 'm 1 2 8', 'f 1 2', 'm 2 3 8', 'm 1 4 8', 'f 1 3', 'f 2 4']);
  expect(at(2).slot).not.toBe(at(0).slot);
  expect(at(4).slot).toBe(at(0).slot); // by thread 2, which freed it
  expect(at(5).slot).toBe(at(2).slot);
});

/** Producer 1 allocates, consumer 2 frees, one after the other: `count` blocks. */
const handedOver = (count: number) => Array.from({ length: count }, (_, i) => [`m 1 ${i} 8`, `f 2 ${i}`]).flat();

test('slots that one thread frees and never needs go to the one that does, once the frees have been executed', () => {
  const count = 20_000;
  const program = readProgramOrder(eventsOf(handedOver(count)));
  const { order } = program;
  const positions = order.first.slice();
  const freed = new Set<number>();
  let inUse = 0;
  for (let i = 0; i < 2 * count; i++) {
    const t = 1 + (i % 2);
    const p = program.next(t, positions[t]!);
    const slot = slotOf(order, p);
    if (t === 1) {
      inUse++;
      freed.delete(slot);
    } else {
      expect(freed.has(slot)).toBe(false);
      freed.add(slot);
      inUse--;
    }
    positions[t] = p + RECORD_WORDS;
  }
  expect(inUse).toBe(0);
  expect(program.objectSlots()).toBeLessThan(4_000);
});

test('where nothing has been executed no thread gets a slot that another one frees', () => {
  const program = readProgramOrder(eventsOf(handedOver(2_000)));
  program.readAll();
  expect(program.objectSlots()).toBeGreaterThan(2_000);
});

test('uses are counted over all lives of a slot, so that a later life waits for its own', () => {
  const { program, at } = orderOf(['m 1 1 8', 'f 2 1', 'm 2 2 8', 'f 1 2', 'm 1 3 8', 'f 2 3']);
  expect(program.crossThreadFrees()).toBe(3);
  expect(at(4).slot).toBe(at(3).slot);
  expect([1, 3, 5].map((row) => at(row).need)).toEqual([1, 2, 3]);
});

test('a free without an allocation is refused by its event', () => {
  const events = eventsOf(['m 1 1 8', 'f 1 1']);
  const reversed = { ...events, head: events.head.slice(0, 2).reverse(), slot: events.slot.slice(0, 2).reverse() };
  expect(() => readProgramOrder(reversed).readAll()).toThrow(/event 0 frees an object that no earlier event allocates/);
});

test('what is read and not yet executed stays small where threads keep up with each other', () => {
  const lines = Array.from(
    { length: 40_000 },
    (_, i) => `${i % 2 === 0 ? 'm' : 'f'} ${1 + ((i >> 1) % 8)} ${i >> 1} 8`,
  );
  const program = readProgramOrder(eventsOf(lines.map((line) => (line[0] === 'm' ? line : line.replace(/ 8$/, '')))));
  const positions = program.order.first.slice();
  let highest = 0;
  for (let i = 0; i < lines.length; i++) {
    const t = 1 + ((i >> 1) % 8);
    const p = program.next(t, positions[t]!);
    expect(p).toBeGreaterThan(0);
    highest = Math.max(highest, p);
    positions[t] = p + RECORD_WORDS;
  }
  expect(highest / RECORD_WORDS).toBeLessThan(8_000);
  expect(Array.from({ length: 9 }, (_, t) => program.next(t, positions[t]!))).toEqual(Array(9).fill(0));
});

/** Programs of a few threads that write to and free each other's blocks, exit and begin again. */
test('every event is in the order of its thread exactly once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.nat(4), fc.nat(30)), { maxLength: 400 }),
      (steps) => {
        const lines: string[] = [];
        const live: number[] = [];
        let next = 1;
        for (const [thread, kind, which] of steps) {
          if (kind === 0 || live.length === 0) {
            lines.push(`m ${thread} ${next} 8`);
            live.push(next++);
          } else if (kind === 1) lines.push(`f ${thread} ${live.splice(which % live.length, 1)[0]}`);
          else if (kind === 2) lines.push(`w ${thread} ${live[which % live.length]} 0 4`);
          else if (kind === 3) lines.push(which % 2 === 0 ? '= here' : '+ 5');
          else if (thread > 0 && lines.some((line) => line.split(' ')[1] === String(thread)))
            lines.push(`te ${thread}`);
        }
        const { order, rowsOf } = orderOf(lines);
        const all = Array.from(order.ids, (_, t) => rowsOf(t));
        for (const own of all) expect(own).toEqual([...own].sort((x, y) => x - y));
        expect(all.flat().sort((x, y) => x - y)).toEqual(lines.map((_, row) => row));
        for (const [t, own] of all.entries()) {
          for (const row of own)
            if (/^[mfwt]/.test(lines[row]!)) expect(lines[row]!.split(' ')[1]).toBe(String(order.ids[t]));
        }
      },
    ),
  );
});
