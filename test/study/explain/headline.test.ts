import { expect, test } from 'vitest';
import { parseAllocator } from '../../../allocators/spec.ts';
import { explain } from '../../../bench/study/explain/explain.ts';
import { bumpOptions } from '../../helpers/bump-run.ts';

const N = 20_000;
const told = (size: number) => {
  const lines = [
    ...Array.from({ length: N }, (_, i) => `m 0 ${i} ${size}`),
    `m 0 ${N} 100`,
    ...Array.from({ length: N }, (_, i) => `f 0 ${i}`),
  ];
  return explain({ ...bumpOptions(lines), spec: parseAllocator('glibc', 1), whatIf: false });
};

test('retention that counts as pinned says why: freed chunks that are not merged lie on the pages', () => {
  const { verdict, sample } = told(72);
  expect(verdict.kind).toBe('retention by policy');
  expect(sample.breakdown.pinned).toBeGreaterThan(sample.rssBytes / 2);
  expect(verdict.headline).toMatch(
    /keeps them by its own rules: freed blocks that it has not merged lie on the pages/,
  );
});

test('where whole pages are free there is nothing to say of it', () => {
  const { verdict, sample } = told(1000);
  expect(verdict.kind).toBe('retention by policy');
  expect(sample.breakdown.returnable).toBeGreaterThan(sample.rssBytes / 2);
  expect(verdict.headline).toMatch(/keeps them by its own rules\. /);
});
