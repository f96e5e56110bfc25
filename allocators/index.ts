import { jemalloc } from './jemalloc/index.ts';
import type { AllocatorModel } from './model.ts';
import { glibc } from './ptmalloc/index.ts';
import { zendmm } from './zend/zend.ts';

/** Every allocator there is, one line each. */
export const MODELS: readonly AllocatorModel[] = [glibc, jemalloc, zendmm];
