import { parseAllocator } from '../../../allocators/spec.ts';
import { UserError } from '../../../sim/contract/assert.ts';
import { loadThreadPlugins } from '../parallel/thread-plugins.ts';
import { type Observed, type ObserveOptions, observe } from './observe.ts';

/** Plain data, so that it can be sent to a thread; the columns of the events are shared. */
export type ObserveTask = Omit<ObserveOptions, 'spec'> & { readonly allocator: string };

export type ObserveOutcome = { readonly observed: Observed } | { readonly userError: string };

await loadThreadPlugins();

/** Piscina's entry. Errors lose their class between threads, so the user's own mistakes come back as data. */
export default function work({ allocator, ...options }: ObserveTask): ObserveOutcome {
  try {
    return { observed: observe({ ...options, spec: parseAllocator(allocator, options.cpus) }) };
  } catch (error) {
    if (error instanceof UserError) return { userError: error.message };
    throw error;
  }
}
