import { expect, test } from 'vitest';
import { runMachineScript } from '../../../machine/script/run.ts';

const vmstatOf = (lines: readonly Record<string, unknown>[]) =>
  lines.filter(({ t }) => t === 'machine').at(-1)!['vmstat'] as Record<string, number>;

test('kswapd takes turns with who asks for memory, who reclaims as well where it is not fast enough: that is his pressure', () => {
  const { lines } = runMachineScript(`#! -m 448 --thp never
swap 256M
cgroup g
new b
b into g
b mmap B 400M private noreserve
b touch B 0 380M
sample s
`);
  const { pgsteal_kswapd = 0, pgsteal_direct = 0, allocstall_movable = 0 } = vmstatOf(lines);
  expect(pgsteal_kswapd).toBeGreaterThan(10_000);
  expect(pgsteal_direct).toBeGreaterThan(0);
  expect(pgsteal_direct).toBeLessThan(pgsteal_kswapd);
  expect(allocstall_movable).toBeGreaterThan(0);
  const pressure = lines.find(({ t, cg }) => t === 'cgroup' && cg === 'g')!['pressure'] as { some: number[] };
  expect(pressure.some[2]).toBeGreaterThan(0);
});

test('a huge page for which nobody may reclaim goes down to the lower mark', () => {
  const { lines } = runMachineScript(
    '#! -m 832 --thp always\nnew a\na mmap A 900M private noreserve\na touch A 0 860M stride=2M\nsample s\n',
  );
  const zones = lines.find(({ t }) => t === 'machine')!['zones'] as { free: number; min: number; low: number }[];
  const { free, min, low } = zones.at(-1)!;
  expect(free).toBeLessThan((min + low) / 2);
});
