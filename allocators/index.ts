import type { AllocatorModel } from './model.ts';

/** Every allocator there is, one line each. */
export const MODELS: readonly AllocatorModel[] = [];
