import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Memory } from '../../sim/contract/memory.ts';
import { createResidency } from '../../sim/kernel/residency.ts';

const PAGES = 4 * 512;
const pages = fc.tuple(fc.nat(PAGES - 1), fc.nat(PAGES)).map(([first, length]) => ({
  first,
  last: Math.min(PAGES - 1, first + length),
}));
const step = fc.oneof(
  fc.record({ what: fc.constant('touch' as const), pages }),
  fc.record({ what: fc.constant('touch' as const), pages }),
  fc.record({ what: fc.constantFrom('release', 'free', 'read', 'map', 'fork'), pages }),
);

test('a range that is touched by runs is what it is when each page is touched for itself', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.constantFrom(undefined, 0, 700), (steps, hugeFrom) => {
      const [byRuns, byPages] = [0, 1].map(() => {
        const operations = new Float64Array(64);
        const mayBeHuge = hugeFrom === undefined ? undefined : (page: number) => page >= hugeFrom;
        return { operations, residency: createResidency(new Memory(), operations, mayBeHuge, undefined, PAGES) };
      }) as [Kept, Kept];
      for (const { what, pages } of steps) {
        const { first, last } = pages;
        for (const { residency } of [byRuns, byPages]) {
          if (what === 'release') residency.release(first, last + 1);
          else if (what === 'free') residency.freeLazily(first, last + 1);
          else if (what === 'read') residency.readRange(first, last);
          else if (what === 'map') residency.mapped(first, last + 1);
          else if (what === 'fork') residency.forked(first, last + 1);
        }
        if (what !== 'touch') continue;
        byRuns.residency.touchRange(first, last);
        for (let page = first; page <= last; page++) byPages.residency.touch(page);
      }
      expect(told(byRuns)).toEqual(told(byPages));
    }),
    { numRuns: 500 },
  );
});

interface Kept {
  readonly operations: Float64Array;
  readonly residency: ReturnType<typeof createResidency>;
}

const told = ({ operations, residency }: Kept) => ({
  operations: [...operations],
  states: Buffer.from(residency.pages).toString('hex'),
  used: [...residency.used],
  resident: residency.residentPages(),
  peak: residency.residentPeakPages(),
  huge: residency.hugePages(),
  faults: residency.faults(),
});
