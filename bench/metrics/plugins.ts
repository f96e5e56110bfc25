import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { registerAllocator } from '../../allocators/index.ts';
import type { AllocatorModel } from '../../allocators/model.ts';
import { UserError } from '../../sim/contract/assert.ts';
import type { Importer } from '../../workloads/import/importer.ts';
import { registerImporter } from '../../workloads/import/index.ts';
import { registerWorkload } from '../../workloads/index.ts';
import type { Workload } from '../../workloads/workload.ts';
import { pluginFiles, rememberPluginFile } from '../run/plugin-files.ts';
import { registerMetric } from './index.ts';
import type { Metric } from './metric.ts';

/** What a module outside can add; the default export of a file that `--plugin` names. */
export interface Plugin {
  readonly allocators?: readonly AllocatorModel[];
  readonly workloads?: readonly Workload[];
  readonly importers?: readonly Importer[];
  readonly metrics?: readonly Metric[];
}

const KINDS: readonly (keyof Plugin)[] = ['allocators', 'workloads', 'importers', 'metrics'];

/**
 * Adds what a plugin holds, under its own names. Throws a UserError where a name is taken. Only this thread knows of
 * it: runs on other threads (compare, sweep, --mode threads) need `loadPlugin`.
 */
export function registerPlugin(plugin: Plugin): void {
  plugin.allocators?.forEach(registerAllocator);
  plugin.workloads?.forEach(registerWorkload);
  plugin.importers?.forEach(registerImporter);
  plugin.metrics?.forEach(registerMetric);
}

/** Loads a module whose default export is a Plugin, here and in every worker that is started later. */
export async function loadPlugin(file: string): Promise<void> {
  const path = resolve(file);
  if (pluginFiles().includes(path)) return;
  let module: { readonly default?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split('\n');
    throw new UserError(`--plugin ${file}: found ${line}, expected a module that can be loaded`);
  }
  registerPlugin(checked(module.default, file));
  rememberPluginFile(path);
}

export async function loadPlugins(files: readonly string[]): Promise<void> {
  for (const file of files) await loadPlugin(file);
}

function checked(value: unknown, file: string): Plugin {
  const expected = `a default export with one of ${KINDS.join(', ')}`;
  if (typeof value !== 'object' || value === null) {
    throw new UserError(`--plugin ${file}: found no default export, expected ${expected}`);
  }
  const unknown = Object.keys(value).find((key) => !KINDS.includes(key as keyof Plugin));
  if (unknown !== undefined) throw new UserError(`--plugin ${file}: found '${unknown}', expected ${expected}`);
  for (const [kind, items] of Object.entries(value)) {
    if (!Array.isArray(items) || items.some((item) => typeof item?.name !== 'string')) {
      throw new UserError(`--plugin ${file}: found ${kind} that are no list of named objects, expected ${expected}`);
    }
  }
  return value as Plugin;
}
