import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { LockstepRun } from '../../bench/run/modes/lockstep.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';

function abortOf(lines: string[]): LockstepRun['abort'] {
  const parser = createTraceParser({ staleFrees: true });
  parser.push(new TextEncoder().encode(`%htrace 1\n${lines.join('\n')}\n`));
  const run = new LockstepRun({
    events: parser.finish(),
    workload: 'test',
    spec: parseAllocator('glibc@2.36', 2),
    cpus: 2,
  });
  run.advance(1e6);
  return run.abort;
}

test('the second free of a cached block ends the program where and how glibc ends it', () => {
  expect(abortOf(['m 0 1 24', 'm 0 2 24', 'f 0 1', 'f 0 1', 'm 0 3 24'])).toEqual({
    event: 3,
    message: 'free(): double free detected in tcache 2',
  });
});

test('a block is found where its last realloc put it', () => {
  const lines = ['m 0 1 24', 'm 0 2 24', 'r 0 1 3000', 'm 0 3 5000', 'f 0 1', 'f 0 1'];
  expect(abortOf(lines)).toEqual({ event: 5, message: 'double free or corruption (!prev)' });
});

test('a free that the real one does not notice is no end', () => {
  const full = Array.from({ length: 8 }, (_, i) => `m 0 ${i + 1} 24`);
  const freed = Array.from({ length: 8 }, (_, i) => `f 0 ${i + 1}`);
  // The eighth lies in a fastbin below the ninth, which alone is compared.
  expect(abortOf([...full, 'm 0 9 24', ...freed, 'f 0 9', 'f 0 8', 'm 0 10 5000'])).toBeNull();
});

test('what never lived is still refused', () => {
  expect(() => abortOf(['m 0 1 24', 'f 0 2'])).toThrow('object 2, which is not live');
});
