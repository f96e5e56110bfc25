import { describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import type { Mode } from '../../bench/run/result.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import type { LineSink } from '../../workloads/files/line-sink.ts';
import { eventsOf } from '../helpers/bump-run.ts';

const LINES = ['m 0 1 10', 'c 0 2 1 50', 'm 0 3 70', 'r 0 1 500', 'f 0 3', 'm 0 4 9', 'a 0 5 64 100', 'm 0 6 30'];

async function placements(mode: Mode): Promise<string[]> {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) } as unknown as LineSink;
  const spec = parseAllocator('glibc', 1);
  await runInMode({ events: eventsOf(LINES), workload: 'test', spec, cpus: 1, mode, placements: sink });
  return lines;
}

describe('placements', () => {
  test('of one thread are the same in virtual time as in file order, those of calloc, realloc and memalign too', async () => {
    const inOrder = await placements('lockstep');
    expect(inOrder.map((line) => Number(line.split(' ')[0]))).toEqual([0, 1, 2, 3, 5, 6, 7]);
    expect(await placements('virtual')).toEqual(inOrder);
  });
});
