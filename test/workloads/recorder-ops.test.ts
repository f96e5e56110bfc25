import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LOG } from '../../workloads/recorder/log.ts';

test('the operations of a log are those of native/ring.h, each number once', () => {
  const header = readFileSync(new URL('../../workloads/recorder/native/ring.h', import.meta.url), 'utf8');
  const body = /enum op \{(.*?)\n\};/s.exec(header)![1]!.replace(/\/\*.*?\*\//gs, '');
  const numbers = new Map<string, number>();
  let next = 0;
  for (const [, name, value] of body.matchAll(/OP_(\w+)(?: = (\d+))?/g)) {
    next = value === undefined ? next : Number(value);
    numbers.set(name!, next++);
  }
  expect(numbers.get('SEEN')).toBe(26);
  expect(new Set(numbers.values()).size).toBe(numbers.size);
  for (const [name, number] of Object.entries(LOG)) expect([name, numbers.get(name)]).toEqual([name, number]);
});
