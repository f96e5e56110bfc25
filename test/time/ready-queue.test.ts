import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTimers, createTournament } from '../../sim/time/ready-queue.ts';

test('the tournament knows the least and the second least after any changes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.tuple(fc.nat(39), fc.nat(20)), { maxLength: 100 }),
      (size, changes) => {
        const { times, update, winner, runnerUp } = createTournament(size);
        for (const [place, time] of changes) {
          if (place >= size) continue;
          times[place] = time;
          update(place);
          const sorted = [...times.slice(0, size)].sort((a, b) => a - b);
          expect(times[winner()]).toBe(sorted[0]);
          if (size > 1 && sorted[1]! < Infinity) expect(times[runnerUp()]).toBe(sorted[1]);
        }
      },
    ),
  );
});

test('timers come in the order of their times, equal ones in the order of their coming', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10), { maxLength: 60 }), (times) => {
      const timers = createTimers(times.length);
      times.forEach((time, i) => {
        timers.add(time, i);
      });
      const expected = times.map((time, i) => ({ time, i })).sort((a, b) => a.time - b.time || a.i - b.i);
      for (const { time, i } of expected) {
        expect(timers.next[0]).toBe(time);
        expect(timers.take()).toBe(i);
      }
      expect(timers.next[0]).toBe(Infinity);
    }),
  );
});
