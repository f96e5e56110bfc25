import { afterEach, describe, expect, test } from 'vitest';
import { createMemoryGate, endLatest } from '../../workloads/files/memory-gate.ts';

/** Work by its name: when it began, and what ends it or lets it end. */
function worker(log: string[]) {
  const ends = new Map<string, () => void>();
  const work =
    (name: string, canBeEnded = true) =>
    (endBy: (end: () => void) => void) => {
      log.push(`+${name}`);
      return new Promise<string>((resolve, reject) => {
        if (canBeEnded) {
          endBy(() => {
            log.push(`x${name}`);
            reject(new Error('ended'));
          });
        }
        ends.set(name, () => {
          log.push(`-${name}`);
          resolve(name);
        });
      });
    };
  const finish = async (name: string) => {
    ends.get(name)!();
    await settled();
  };
  return { work, finish };
}

/** What has finished has told, and the next has been let in. */
async function settled() {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}
const log: string[] = [];
afterEach(() => void log.splice(0));

describe('where memory comes to an end', () => {
  test('what began last is ended, and begins again when another has finished; from then on there is one fewer', async () => {
    const { work, finish } = worker(log);
    const told: number[] = [];
    const gate = createMemoryGate(2, { onFewer: (width) => told.push(width) });
    const all = Promise.all(['a', 'b', 'c', 'd'].map((name) => gate.run(work(name))));
    await settled();
    expect(log).toEqual(['+a', '+b']);
    expect(endLatest()).toBe(true);
    await settled();
    expect(endLatest()).toBe(false); // one alone has all of it
    await finish('a');
    expect(told).toEqual([1]);
    for (const name of ['c', 'd', 'b']) await finish(name);
    expect(await all).toEqual(['a', 'b', 'c', 'd']);
    expect(log).toEqual(['+a', '+b', 'xb', '-a', '+c', '-c', '+d', '-d', '+b', '-b']);
  });

  test('which of those that wait is let in is chosen when there is room, and what has finished has told', async () => {
    const { work, finish } = worker(log);
    const asked: string[][] = [];
    const gate = createMemoryGate<string>(1, {
      choose: (waiting) => {
        asked.push([...waiting]);
        return waiting.length - 1;
      },
    });
    const begin = (name: string) => gate.run(work(name), name);
    const a = begin('a');
    const others = [begin('b'), begin('c')];
    const afterA = a.then(() => begin('d'));
    await settled();
    for (const name of ['a', 'd', 'c', 'b']) await finish(name);
    expect(await Promise.all([a, ...others, afterA])).toEqual(['a', 'b', 'c', 'd']);
    expect(log).toEqual(['+a', '-a', '+d', '-d', '+c', '-c', '+b', '-b']);
    expect(asked).toEqual([['b', 'c', 'd'], ['b', 'c'], ['b']]);
  });

  test('of two gates the one waits for the other; what cannot be ended goes on', async () => {
    const { work, finish } = worker(log);
    const [first, second] = [createMemoryGate(1), createMemoryGate(1)];
    const a = first.run(work('a'));
    const b = second.run(work('b', false));
    await settled();
    expect(endLatest()).toBe(true);
    await finish('b');
    await finish('a');
    expect(await Promise.all([a, b])).toEqual(['a', 'b']);
    expect(log).toEqual(['+a', '+b', 'xa', '-b', '+a', '-a']);
  });

  test('an error of the work itself is told, and the next one begins', async () => {
    const { work, finish } = worker(log);
    const gate = createMemoryGate(1);
    const bad = gate.run(async () => {
      throw new Error('bad');
    });
    const good = gate.run(work('a'));
    await expect(bad).rejects.toThrow('bad');
    await settled();
    await finish('a');
    expect(await good).toBe('a');
  });
});
