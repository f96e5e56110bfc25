import type { Allocator, AllocatorStats, Handle, RequestAllocator } from '../../sim/contract/allocator.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { isPowerOfTwo } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import type { OptionValues } from '../model.ts';
import { createLeakReports } from '../zend/debug.ts';
import { type Inspectable, layered } from '../zend/layer.ts';
import { memoryLimitOf, refuseForeignOptions } from '../zend/options.ts';
import { phpNumbers } from '../zend/stats.ts';
import { memoryUsage } from '../zend/views.ts';
import { checkHeaps } from './check.ts';
import { createHeaps } from './heap.ts';
import { leaksOf } from './leaks.ts';
import { allHeapStats } from './stats.ts';
import type { StorageType } from './storage.ts';
import { segmentList } from './views.ts';
import { areasOf, heldHandles, walkFreeHeaps, walkHeaps } from './walk.ts';

/** PHP 5.6: segments cut into blocks with headers. */
export function createZend5(
  machine: Machine,
  version: string,
  values: OptionValues,
  below: Allocator,
  given: OptionValues,
): RequestAllocator & Inspectable {
  refuseForeignOptions(version, given);
  const segmentSize = values['seg_size'] as number;
  if (!isPowerOfTwo(segmentSize)) {
    throw new UserError(`ZEND_MM_SEG_SIZE must be a power of two: found seg_size=${segmentSize}`);
  }
  const debug = values['debug'] === true;
  const least = debug ? 96 : 32;
  if (segmentSize < least)
    throw new UserError(`ZEND_MM_SEG_SIZE is too small: found ${segmentSize}, expected ${least} or more`);
  const memType = values['mem_type'] as StorageType;
  const ofMalloc = memType === 'malloc';
  const heaps = createHeaps(machine, below, {
    memType,
    segmentSize,
    reserve: values['reserve'] as number,
    libcBaseline: values['libc_baseline'] as number,
    memoryLimit: memoryLimitOf(values),
    debug,
  });
  const { state, refusals } = heaps;
  const leaks = createLeakReports(machine);

  function stats(): AllocatorStats {
    return {
      ...phpNumbers(machine.kernel, allHeapStats(state)),
      refused: refusals.count(),
      errors: refusals.list(),
      ...(debug ? { leaks: leaks.total(), leak_report: leaks.text() } : {}),
      below: below.stats(),
    };
  }

  const views: Readonly<Record<string, () => string>> = {
    segments: () => segmentList(state),
    memory_get_usage: () => memoryUsage(phpNumbers(machine.kernel, allHeapStats(state))),
    leaks: () => leaks.text() || 'no leaks reported\n',
    chunks: () => 'PHP 5 has no chunks; see the view segments.\n',
  };

  return layered(
    {
      ...heaps,
      name: `zendmm-${version}`,
      end: (t) => {
        if (debug) leaks.add(t, leaksOf(state, t));
        heaps.end(t);
      },
      stats,
      walk: (visit) => walkHeaps(state, below, ofMalloc, visit),
      walkFree: (visit) => walkFreeHeaps(state, visit),
      areas: (visit) => areasOf(state, ofMalloc, visit),
      heldBelow: (): Set<Handle> => heldHandles(state, ofMalloc),
      check: () => checkHeaps(state),
      notModelled: () => [
        'heaps with storage handlers of their own (zend_mm_startup_ex)',
        ...(memType === 'mmap_zero'
          ? ['/dev/zero’s own address rules: its mappings lie where anonymous ones would']
          : []),
      ],
      inspect: (view) => views[view]!(),
    },
    below,
    values['all'] === true,
  );
}
