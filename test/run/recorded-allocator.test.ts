import { expect, test } from 'vitest';
import { ignoredSettings, recordedAllocator } from '../../bench/run/recorded-allocator.ts';

type Pairs = readonly (readonly [string, string])[];

const recorded = (environment: Pairs, machine: Pairs = []) => ({
  recorded: { command: '', process: undefined, environment, machine, threadNames: [], mappings: [] },
});

test('glibc for what was not recorded', () => {
  expect(recordedAllocator(recorded([]))).toBe('glibc');
  expect(recordedAllocator(recorded([], [['allocator', 'libtcmalloc.so.4']]))).toBe('glibc');
});

test('tunables are read as glibc reads them, and go before the older variables', () => {
  const events = recorded(
    [
      [
        'GLIBC_TUNABLES',
        'glibc.malloc.arena_max=0x2:glibc.rtld.nns=4:glibc.malloc.mxfast=010:glibc.malloc.top_pad=64K',
      ],
      ['MALLOC_ARENA_MAX', '9'],
      ['MALLOC_TRIM_THRESHOLD_', '131072'],
    ],
    [['allocator', 'libc.so.6']],
  );
  expect(recordedAllocator(events)).toBe('glibc:arena_max=2,trim_threshold=131072,mxfast=8,top_pad=64');
  expect(ignoredSettings(events)).toEqual([]);
});

test('what the allocator refuses is left out, and told', () => {
  const events = recorded([['GLIBC_TUNABLES', 'glibc.malloc.mxfast=4096:glibc.malloc.none=1']]);
  expect(recordedAllocator(events)).toBe('glibc');
  expect(ignoredSettings(events)).toEqual(['mxfast=4096', 'none=1']);
});

test('MALLOC_CONF is jemalloc’s, and glibc’s tunables are not', () => {
  const events = recorded(
    [
      ['GLIBC_TUNABLES', 'glibc.malloc.arena_max=1'],
      ['MALLOC_CONF', 'dirty_decay_ms:0,utrace:true,narenas:default,background_thread:true,dirty_decay_ms:500'],
    ],
    [['allocator', 'libjemalloc.so.2']],
  );
  expect(recordedAllocator(events)).toBe('jemalloc:dirty_decay_ms=500,background_thread=true');
  expect(ignoredSettings(events)).toEqual(['utrace:true']);
});

test('PHP’s heap has its own above those of malloc', () => {
  const events = recorded(
    [
      ['MALLOC_ARENA_MAX', '1'],
      ['USE_ZEND_ALLOC_HUGE_PAGES', '1'],
    ],
    [['zend', '4.2.36']],
  );
  expect(recordedAllocator(events)).toBe('zendmm@8.2:USE_ZEND_ALLOC_HUGE_PAGES=true+glibc:arena_max=1');
});

test('a tunable of another allocator than the one that served is none of it', () => {
  const events = recorded([['MALLOC_ARENA_MAX', '1']], [['allocator', 'libmimalloc.so.2']]);
  expect(recordedAllocator(events)).toBe('glibc');
});

test('an older name of an option, and values beyond its bounds, are what jemalloc makes of them', () => {
  const under = (conf: string) => {
    const events = recorded([['MALLOC_CONF', conf]], [['allocator', 'libjemalloc.so.2']]);
    return [recordedAllocator(events), ignoredSettings(events)];
  };
  expect(under('narenas:16,lg_tcache_max:20')).toEqual(['jemalloc:narenas=16,tcache_max=1048576', []]);
  expect(under('lg_tcache_max:40')).toEqual(['jemalloc:tcache_max=8388608', []]);
  expect(under('lg_tcache_max:12,tcache_max:65536')).toEqual(['jemalloc:tcache_max=65536', []]);
  expect(under('tcache_nslots_large:5000,lg_tcache_max:many')).toEqual([
    'jemalloc:tcache_nslots_large=2048',
    ['lg_tcache_max:many'],
  ]);
});
