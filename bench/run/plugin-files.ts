import { pathToFileURL } from 'node:url';
import { registerAllocator } from '../../allocators/index.ts';
import type { AllocatorModel } from '../../allocators/model.ts';

/** Files of plugins that were loaded, in order: a worker that is started later loads them too. */
const files: string[] = [];

export const pluginFiles = (): readonly string[] => files;
export const rememberPluginFile = (path: string): void => void files.push(path);

/** In a worker that runs threads of a simulation: the models alone. The files have been checked where they came from. */
export async function registerPluginModels(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const module = (await import(pathToFileURL(path).href)) as {
      readonly default: { readonly allocators?: readonly AllocatorModel[] };
    };
    module.default.allocators?.forEach(registerAllocator);
  }
}
