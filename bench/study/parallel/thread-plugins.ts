import { workerData } from 'node:worker_threads';

/** In a thread of startThread(): models and metrics of plugins, before the first task. */
export async function loadThreadPlugins(): Promise<void> {
  const plugins = (workerData as { readonly plugins?: readonly string[] } | null)?.plugins ?? [];
  if (plugins.length > 0) await (await import('../../metrics/plugins.ts')).loadPlugins(plugins);
}
