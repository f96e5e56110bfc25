import type { Allocator, RequestAllocator } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { lazyCode } from '../lazy-code.ts';
import type { AllocatorModel, OptionValues } from '../model.ts';
import type { Inspectable } from './layer.ts';
import type { ZendVersion } from './layout.ts';
import { OPTIONS } from './options.ts';

export const zendCode = lazyCode('zendmm', () => import('./model.ts'));
export const zend5Code = lazyCode('zendmm@5.6', () => import('../zend5/zend5.ts'));

async function load(version: string): Promise<void> {
  await zendCode.load();
  if (version === '5.6') await zend5Code.load();
}

function create(
  machine: Machine,
  version: string,
  values: OptionValues,
  below: Allocator | undefined,
  given: OptionValues = {},
): Allocator | RequestAllocator {
  assert(below !== undefined, 'the request allocator has no allocator below');
  if (values['USE_ZEND_ALLOC'] === false) {
    return zendCode.get().createSwitchedOff(machine, version, below);
  }
  if (version === '5.6') return zend5Code.get().createZend5(machine, version, values, below, given);
  return zendCode.get().createZend(machine, version as ZendVersion, values, below, given);
}

const view = (name: string, about: string) => ({
  name,
  about,
  render: (allocator: Allocator) => (allocator as Allocator & Inspectable).inspect(name),
});

/** PHP's request allocator. */
export const zendmm: AllocatorModel = {
  name: 'zendmm',
  versions: ['8.2', '7.1', '5.6'],
  about: 'the Zend memory manager of PHP, above a system allocator',
  options: OPTIONS,
  layered: true,
  load,
  create,
  views: [
    view('chunks', 'PHP 7 and 8: each chunk’s 512 pages, its runs and bins; cached chunks and huge blocks'),
    view('segments', 'PHP 5: the list of segments with their blocks'),
    view('memory_get_usage', 'memory_get_usage() and memory_get_peak_usage(), both kinds, beside what is resident'),
    view('leaks', 'the leak reports of a debug build'),
  ],
};
