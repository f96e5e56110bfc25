import type { Allocator, AllocatorStats, RequestAllocator } from '../../sim/contract/allocator.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import type { OptionValues } from '../model.ts';
import { areasOf } from './areas.ts';
import { checkHeaps } from './check.ts';
import { createLeakReports } from './debug.ts';
import { decidingState } from './deciding-state.ts';
import { createHeaps } from './heap.ts';
import { type Inspectable, layered, passedThrough } from './layer.ts';
import type { ZendVersion } from './layout.ts';
import { memoryLimitOf, refuseForeignOptions } from './options.ts';
import { allHeapStats, phpNumbers } from './stats.ts';
import { chunkMap, memoryUsage } from './views.ts';
import { walkFree, walkHeaps } from './walk.ts';

/** Chunks and huge blocks come straight from the kernel. */
const NOTHING: ReadonlySet<number> = new Set();

/** The request allocator of PHP 7 and 8. */
export function createZend(
  machine: Machine,
  version: ZendVersion,
  values: OptionValues,
  below: Allocator,
  given: OptionValues,
): RequestAllocator & Inspectable {
  refuseForeignOptions(version, given);
  const debug = values['debug'] === true;
  const heaps = createHeaps(machine, version, {
    memoryLimit: memoryLimitOf(values),
    hugePages: values['USE_ZEND_ALLOC_HUGE_PAGES'] === true,
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
    chunks: () => chunkMap(state),
    memory_get_usage: () => memoryUsage(phpNumbers(machine.kernel, allHeapStats(state))),
    leaks: () => leaks.text() || 'no leaks reported\n',
    segments: () => 'PHP 7 and 8 have no segments; see the view chunks.\n',
  };

  return layered(
    {
      ...heaps,
      name: `zendmm-${version}`,
      end: (t) => {
        if (debug) leaks.add(t, heaps.leaksOf(t));
        heaps.end(t);
      },
      stats,
      walk: (visit) => walkHeaps(state, visit),
      walkFree: (visit) => walkFree(state, visit),
      areas: (visit) => areasOf(state, visit),
      heldBelow: () => NOTHING,
      decidingState: (sink) => decidingState(state, sink),
      check: () => checkHeaps(state),
      notModelled: () => [
        'custom heaps and storage handlers of extensions (zend_mm_set_custom_handlers, zend_mm_startup_ex)',
        ...(version === '8.2'
          ? ['the soft and hard memory limit of 8.2.35: the limit refuses at once, as elsewhere']
          : []),
      ],
      inspect: (view) => views[view]!(),
    },
    below,
    values['all'] === true,
  );
}

/** USE_ZEND_ALLOC=0: what PHP asks for goes to the allocator below. */
export function createSwitchedOff(machine: Machine, version: string, below: Allocator): Allocator & Inspectable {
  const stats = () => ({ ...phpNumbers(machine.kernel, []), below: below.stats() });
  return passedThrough(`zendmm-${version} (switched off)`, below, stats);
}
