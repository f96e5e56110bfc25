import { createRegistry } from '../sim/contract/registry.ts';
import { jemalloc } from './jemalloc/index.ts';
import type { AllocatorModel } from './model.ts';
import { glibc } from './ptmalloc/index.ts';
import { zendmm } from './zend/index.ts';

const models = createRegistry<AllocatorModel>('allocator', [glibc, jemalloc, zendmm]);

/** Every allocator there is, those of plugins behind the built-in ones. */
export const MODELS = models.all;
export const registerAllocator = models.add;
