import { describe, expect, it } from 'vitest';
import { AllocatorAbort } from '../../sim/contract/assert.ts';
import { eventsFrom, glibcRun } from './run.ts';

/** Runs the events, then frees on thread 0 the address that object `object` has or had. */
function freeAgain(lines: readonly string[], object: string, offset = 0): string | undefined {
  const events = eventsFrom(`%htrace 1\n${lines.join('\n')}\n`);
  const { run, placements } = glibcRun(events);
  run.advance(Infinity);
  const at = lines.filter((line) => !line.startsWith('opt')).findIndex((line) => line.split(' ')[2] === object);
  const real = Number.parseInt(placements.find((line) => line.startsWith(`${at} `))!.split(' ')[1]!, 16);
  const { allocator } = run.assembled;
  const first = Number.parseInt(placements[0]!.split(' ')[1]!, 16);
  const base = allocator.addressOf(run.assembled.objects.handles[events.slot[0]!]!);
  try {
    allocator.freeStale!(0, base + (real - first) + offset);
  } catch (error) {
    expect(error).toBeInstanceOf(AllocatorAbort);
    return (error as Error).message;
  }
  return undefined;
}

const keep = 'm 0 1 24';
const many = (count: number, size: number) => Array.from({ length: count }, (_, i) => `m 0 ${i + 10} ${size}`);
const freed = (count: number) => Array.from({ length: count }, (_, i) => `f 0 ${i + 10}`);

describe('free() of what is no live block, in the words of the real one', () => {
  it('finds a block in its own thread cache', () => {
    expect(freeAgain([keep, 'm 0 2 40', 'f 0 2'], '2')).toBe('free(): double free detected in tcache 2');
  });

  it('finds the last block of a fastbin', () => {
    expect(freeAgain([keep, ...many(8, 40), ...freed(8)], '17')).toBe('double free or corruption (fasttop)');
  });

  it('finds a block that was joined into the top', () => {
    expect(freeAgain([keep, 'm 0 2 5000', 'f 0 2'], '2')).toBe('double free or corruption (top)');
  });

  it('finds a block that was a former top', () => {
    expect(freeAgain([keep, ...many(9, 2000), 'f 0 18', 'f 0 17'], '18')).toBe('double free or corruption (out)');
  });

  it.each([
    ['before', ['f 0 12', 'f 0 13']],
    ['behind', ['f 0 13', 'f 0 12']],
  ])('finds a block that was joined with the one %s it', (_name, frees) => {
    expect(freeAgain([keep, ...many(9, 2000), ...frees], '13')).toBe('double free or corruption (!prev)');
  });

  it('finds a free block in a bin', () => {
    expect(freeAgain([keep, 'm 0 2 5000', 'm 0 3 24', 'f 0 2'], '2')).toBe('double free or corruption (!prev)');
  });

  it('refuses an address that is not aligned', () => {
    expect(freeAgain([keep, 'm 0 2 5000', 'f 0 2'], '2', 8)).toBe('free(): invalid pointer');
  });

  it('crashes where the mapping is gone', () => {
    expect(freeAgain([keep, 'm 0 2 5000000', 'f 0 2'], '2')).toBe('Segmentation fault');
  });
});
