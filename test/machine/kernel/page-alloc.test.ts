import { expect, test } from 'vitest';
import { bootKernel } from '../../../machine/kernel/boot.ts';
import { giveKernelPages, nrFreePages, takeKernelPages } from '../../../machine/kernel/page-alloc.ts';
import { runMachineScript } from '../../../machine/script/run.ts';

const boot = () =>
  bootKernel({
    memoryMb: 4096,
    thp: 'never',
    processors: 1,
    kernel: '6.1',
    queue: () => ({
      kill: () => expect.unreachable(),
      share: () => {},
      condResched: () => {},
      wakeKswapd: () => {},
      waitForKswapd: () => {},
    }),
  });
const freeOf = ({ frames }: ReturnType<typeof boot>) => frames.zones.map(({ free }) => free);

test('pages of the kernel go back to the zones that they came from', () => {
  const k = boot();
  const before = freeOf(k);
  expect(before.length).toBe(3);
  // More than the highest zone has above its mark: a lower one helps out.
  const pages = 2 * Math.ceil(before[2]! / 2 + 5000);
  takeKernelPages(k, pages);
  const taken = freeOf(k);
  expect(taken[1]!).toBeLessThan(before[1]!);
  for (const zone of taken) expect(zone).toBeGreaterThanOrEqual(0);
  giveKernelPages(k, pages / 2);
  expect(nrFreePages(k)).toBeLessThanOrEqual(before.reduce((sum, free) => sum + free));
  giveKernelPages(k, pages / 2);
  expect(freeOf(k)).toEqual(before);
});

test('who is dying takes what there is below the marks, and no page that is not there', () => {
  const { k, lines } = runMachineScript(`#! -m 256 --thp never
new a b
a oom_score_adj -1000
a mmap A 1G private noreserve
b mmap B 1G private noreserve
async b touch B 0 1G
a touch A 0 1G
sample end
`);
  expect(lines.filter(({ t }) => t === 'death').length).toBeGreaterThan(0);
  for (const { free } of k.frames.zones) expect(free).toBeGreaterThanOrEqual(0);
});
