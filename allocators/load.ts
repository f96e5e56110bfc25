import type { AllocatorSpec } from './spec.ts';

/** Loads the code of the models that the allocator is made of; before anything is created of them. */
export async function loadModel(spec: AllocatorSpec): Promise<void> {
  await spec.model.load?.(spec.version);
  if (spec.below) await loadModel(spec.below);
}
