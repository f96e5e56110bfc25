import { describe, expect, test } from 'vitest';
import { COST_PROFILES } from '../../sim/time/costs.ts';
import { createVirtualTime } from '../../sim/time/virtual-time.ts';
import { createWakeUps } from '../../sim/time/wake-ups.ts';

const costs = COST_PROFILES['vm']!;
const WAKER = 0;
const SLEEPER = 1;
const OTHER = 2; // the next on the sleeper's processor

function wakeUps(sleepsOn: number, queued: number) {
  const time = createVirtualTime(3, 2, costs, 1);
  time.processor[SLEEPER] = sleepsOn;
  time.processor[OTHER] = sleepsOn;
  time.queued[sleepsOn] = queued;
  time.front[sleepsOn] = OTHER;
  return { time, ...createWakeUps(time) };
}

/** How many of 2,000 wake-ups push somebody aside. */
function preempts({ time, wakeUp }: ReturnType<typeof wakeUps>): number {
  let count = 0;
  for (let i = 0; i < 2000; i++) {
    wakeUp(WAKER, SLEEPER);
    count += time.preempts[SLEEPER]!;
  }
  return count;
}

describe('a wake-up', () => {
  test('rouses a processor that has nothing else to do', () => {
    const { time, wakeUp } = wakeUps(1, 0);
    time.preempts[SLEEPER] = 1;
    expect(wakeUp(WAKER, SLEEPER)).toBe(costs.wakeLatencyNs);
    expect([...time.debts]).toEqual([costs.wakeIdleNs, 0, 0]);
    expect(time.preempts[SLEEPER]).toBe(0);
  });

  test('interrupts a processor that runs another thread where that one goes, else the woken one queues', () => {
    const { time, wakeUp } = wakeUps(1, 1);
    time.gaveWay[OTHER] = 1;
    for (let i = 0; i < 50; i++) {
      time.debts.fill(0);
      const ns = wakeUp(WAKER, SLEEPER);
      const interrupts = time.preempts[SLEEPER] === 1;
      expect(ns).toBe(interrupts ? costs.wakeLatencyNs : costs.wakeThreadNs + costs.contextSwitchNs);
      expect([...time.debts]).toEqual(
        interrupts ? [costs.wakeIdleNs, 0, costs.interruptNs] : [costs.wakeThreadNs, 0, 0],
      );
    }
  });

  test('needs no interrupt on the waker’s own processor', () => {
    const { time, wakeUp } = wakeUps(0, 1);
    for (let i = 0; i < 50; i++) expect(wakeUp(WAKER, SLEEPER)).toBe(costs.wakeThreadNs + costs.contextSwitchNs);
    expect(time.debts[WAKER]).toBeCloseTo(50 * costs.wakeThreadNs);
  });

  test('preempts who has given way more often than who has slept, and the waker more often than others', () => {
    const counts = [1, 0].flatMap((sleepsOn) =>
      [0, 1].map((gaveWay) => {
        const scene = wakeUps(sleepsOn, 1);
        scene.time.gaveWay.fill(gaveWay);
        return preempts(scene);
      }),
    );
    const [slept, gave, wakerSlept, wakerGave] = counts;
    expect(slept).toBeGreaterThan(0);
    expect(wakerSlept).toBeGreaterThan(2 * slept!);
    expect(gave).toBeGreaterThan(wakerSlept!);
    expect(wakerGave).toBeGreaterThan(gave!);
    expect(wakerGave).toBeLessThan(2000);
  });
});
