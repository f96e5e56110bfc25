import { UserError } from '../../sim/contract/assert.ts';
import type { OptionDescriptor, OptionValues } from '../model.ts';

export const OPTIONS: readonly OptionDescriptor[] = [
  {
    name: 'memory_limit',
    kind: 'bytes',
    unit: 'bytes',
    default: -1,
    min: -1,
    about: 'the request’s limit of real memory, as in php.ini (128M); -1 for none',
  },
  {
    name: 'USE_ZEND_ALLOC',
    kind: 'boolean',
    unit: '',
    default: true,
    about: 'false: the request allocator is switched off, and everything goes to the allocator below',
  },
  {
    name: 'USE_ZEND_ALLOC_HUGE_PAGES',
    versions: ['8.2', '7.1'],
    kind: 'boolean',
    unit: '',
    default: false,
    about: 'chunks from the huge page pool, else with MADV_HUGEPAGE (7.1 advises in any case; 5.6 knows nothing of it)',
  },
  {
    name: 'debug',
    kind: 'boolean',
    unit: '',
    default: false,
    about: 'a debug build: debug information in each block, and a leak report at the end of each request',
  },
  {
    name: 'all',
    kind: 'boolean',
    unit: '',
    default: false,
    about: 'malloc and its family go through the request allocator too, one heap a thread, as in a thread-safe build',
  },
  {
    name: 'mem_type',
    versions: ['5.6'],
    kind: 'choice',
    unit: '',
    default: 'malloc',
    choices: ['malloc', 'mmap_anon', 'mmap_zero'],
    about: '5.6: where segments come from (ZEND_MM_MEM_TYPE)',
  },
  {
    name: 'seg_size',
    versions: ['5.6'],
    kind: 'bytes',
    unit: 'bytes',
    default: 262144,
    min: 1,
    max: 1073741824,
    about: '5.6: length of a segment, a power of two (ZEND_MM_SEG_SIZE)',
  },
  {
    name: 'reserve',
    versions: ['5.6'],
    kind: 'bytes',
    unit: 'bytes',
    default: 8192,
    max: 1073741824,
    about: '5.6: a block that is freed when memory runs out, so that the error can be reported',
  },
  {
    name: 'libc_baseline',
    versions: ['5.6'],
    kind: 'bytes',
    unit: 'bytes',
    default: 11152,
    max: 1073741824,
    about: '5.6: what the process holds in the allocator below before its heap begins; as in the recorded process',
  },
];

/** Refuses options that were given though this version does not have them. */
export function refuseForeignOptions(version: string, given: OptionValues): void {
  for (const { name, versions } of OPTIONS) {
    if (!versions || versions.includes(version) || !(name in given)) continue;
    throw new UserError(`zendmm@${version} has no option '${name}', which is one of ${versions.join(' and ')}`);
  }
}

/** Bytes; Infinity where the limit is switched off. */
export function memoryLimitOf(values: OptionValues): number {
  const limit = values['memory_limit'] as number;
  return limit < 0 ? Infinity : limit;
}
