import { expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { pasteOf } from '../../bench/study/paste.ts';

const shell = (allocator: string, environment: readonly (readonly [string, string])[]) =>
  pasteOf(parseAllocator(allocator, 2), environment)[0]!.text;

test('a variable that is set keeps what the program had in it', () => {
  expect(
    shell('jemalloc:narenas=16,background_thread=true', [['MALLOC_CONF', 'prof:true,narenas:4,stats_print:true']]),
  ).toBe('export MALLOC_CONF=prof:true,stats_print:true,narenas:16,background_thread:true');
  expect(
    shell('glibc:arena_max=1', [['GLIBC_TUNABLES', 'glibc.pthread.rseq=0:glibc.malloc.arena_max=8:glibc.malloc.x=1']]),
  ).toBe('export GLIBC_TUNABLES=glibc.pthread.rseq=0:glibc.malloc.x=1:glibc.malloc.arena_max=1');
  expect(shell('jemalloc:tcache_max=65536', [['MALLOC_CONF', 'lg_tcache_max:20']])).toBe(
    'export MALLOC_CONF=tcache_max:65536',
  );
  expect(shell('glibc:arena_max=1', [['MALLOC_CONF', 'narenas:1']])).toBe(
    'export GLIBC_TUNABLES=glibc.malloc.arena_max=1',
  );
});
