import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStretches } from '../../sim/time/stretches.ts';

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly taker: number;
}

const make = (room: number, horizon = new Float64Array(1)) => ({
  horizon,
  stretches: createStretches({ locks: 3, room, horizon }),
});

function listOf({ first, next, spans, takers }: ReturnType<typeof createStretches>, id: number): Stretch[] {
  const list: Stretch[] = [];
  for (let s = first(id); s !== 0; s = next[s]!) {
    list.push({ from: spans[2 * s]!, to: spans[2 * s + 1]!, taker: takers[s]! });
  }
  return list;
}

test('each lock has its stretches in the order of their beginnings, without those at the front that have passed', () => {
  const step = fc.record({
    id: fc.nat(2),
    from: fc.nat(1000),
    length: fc.nat(50),
    passed: fc.nat(20),
    hint: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { stretches, horizon } = make(500);
      const lists: Stretch[][] = [[], [], []];
      steps.forEach(({ id, from, length, passed, hint }, taker) => {
        horizon[0]! += passed;
        const list = lists[id]!;
        while (list.length > 0 && list[0]!.to <= horizon[0]!) list.shift();
        expect(stretches.forgetPassed(id)).toBe(list.length);
        const at = horizon[0]! + from;
        if (list.length === 64) list.shift();
        let before = stretches.first(id);
        if (!hint || before === 0 || stretches.spans[2 * before]! > at) before = 0;
        stretches.spans[0] = at;
        const s = stretches.insert(id, before, taker);
        expect(stretches.spans[2 * s + 1]).toBe(Infinity);
        stretches.spans[2 * s + 1] = at + length;
        let place = list.length;
        while (place > 0 && list[place - 1]!.from > at) place--;
        list.splice(place, 0, { from: at, to: at + length, taker });
        expect(listOf(stretches, id)).toEqual(list);
        expect(stretches.last(id)).toBe(list.length === 0 ? 0 : lastOf(stretches, id));
      });
    }),
  );
});

function lastOf({ first, next }: ReturnType<typeof createStretches>, id: number): number {
  let last = first(id);
  while (next[last] !== 0) last = next[last]!;
  return last;
}

test('where no room is left, that of locks that nobody has used for long is found', () => {
  const { stretches, horizon } = make(3);
  const put = (id: number, from: number) => {
    stretches.spans[0] = from;
    const s = stretches.insert(id, 0, id);
    stretches.spans[2 * s + 1] = from + 1;
  };
  put(0, 0);
  put(0, 1);
  put(1, 5);
  horizon[0] = 3;
  put(2, 4);
  put(1, 6);
  expect(listOf(stretches, 0)).toEqual([]);
  expect(listOf(stretches, 1).map(({ from }) => from)).toEqual([5, 6]);
  expect(() => put(0, 7)).toThrow('more locks are in use at the same time than there is room for');
});

test('all stretches of a lock can be forgotten', () => {
  const { stretches } = make(2);
  for (let i = 0; i < 5; i++) {
    stretches.spans[0] = i;
    stretches.insert(1, 0, 0);
    stretches.spans[0] = i + 1;
    stretches.insert(1, 0, 0);
    stretches.forgetAll(1);
    expect([stretches.first(1), stretches.last(1), stretches.forgetPassed(1)]).toEqual([0, 0, 0]);
  }
});
