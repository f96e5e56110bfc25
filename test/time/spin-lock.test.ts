import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { createPageLists, PCP_BATCH, PCP_HIGH } from '../../sim/time/page-lists.ts';
import { playCore, type Step } from './core.ts';

const taker = (before: number, held: number, name: string): Step[] => [
  ['user', before],
  ['spin'],
  ['note', `${name} has it`],
  ['kernel', held],
  ['unspin'],
  ['note', `${name} done`],
  ['user', 5],
];

test('a spin lock of the kernel is had in the order in which threads came, one after the other', () => {
  const { notes, lock, scheduler } = playCore(
    [0, 1, 2, 3].map((n) => taker(10 + n, 500, `t${n}`)),
    { cpus: 4 },
  );
  const had = notes.filter(({ note }) => note.endsWith('has it'));
  expect(had.map(({ thread, atNs }) => [thread, atNs])).toEqual([
    [0, 10],
    [1, 510],
    [2, 1010],
    [3, 1510],
  ]);
  expect(lock('spin lock')).toMatchObject({ acquisitions: 4, contended: 3, holdNs: 2000, waitNs: 499 + 998 + 1497 });
  expect([0, 1, 2, 3].map((t) => scheduler.timesOf(t).sleeps)).toEqual([0, 0, 0, 0]);
});

test('who waits keeps its processor, whoever else is ready there', () => {
  const MS = 1_000_000;
  const { at, scheduler } = playCore(
    [
      taker(10, 30 * MS, 'holder'),
      taker(20, 10, 'waiter'),
      [
        ['user', 10 * MS],
        ['note', 'third'],
      ],
    ],
    { cpus: 2 },
  );
  expect(at('waiter has it')).toBe(10 + 30 * MS);
  expect(at('third')).toBeGreaterThan(30 * MS);
  expect(scheduler.timesOf(1).sleeps).toBe(0);
});

test('its line goes from waiter to waiter', () => {
  const { at } = playCore([taker(10, 1000, 'a'), taker(20, 1000, 'b')], { cpus: 2, topology: 'graviton3' });
  // b has come and taken the line; a takes it back to release, and it goes to b once more.
  expect(at('b has it')).toBe(10 + 1000 + 46 + 46);
});

describe('lists of free pages', () => {
  it('get a batch when they are empty, and give back what is beyond their height', () => {
    const lists = createPageLists(2);
    expect([1, 62, 1, 63 * 3].map((pages) => lists.take(0, pages))).toEqual([1, 0, 1, 3]);
    expect(lists.give(1, PCP_HIGH)).toBe(0);
    expect(lists.give(1, 1)).toBe(1);
    expect(lists.take(1, PCP_HIGH - PCP_BATCH + 1)).toBe(0);
  });

  it('lose no page', () => {
    const step = fc.record({ p: fc.nat(2), pages: fc.nat(2000), takes: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const lists = createPageLists(3);
        const held = [0, 0, 0];
        for (const { p, pages, takes } of steps) {
          held[p]! += takes ? lists.take(p, pages) * PCP_BATCH - pages : pages - lists.give(p, pages) * PCP_BATCH;
          expect(held[p]).toBeGreaterThanOrEqual(0);
          if (!takes) expect(held[p]).toBeLessThanOrEqual(PCP_HIGH);
        }
      }),
    );
  });
});
