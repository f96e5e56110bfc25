import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../allocators/spec.ts';
import type { TraceSummary } from '../../sim/contract/event.ts';
import { recordedAllocator } from './recorded-allocator.ts';
import type { Environment } from './recorded-settings.ts';
import type { RunOptions } from './run-options.ts';

type Options = Pick<RunOptions<TraceSummary>, 'events' | 'spec' | 'cpus' | 'kernel'>;

/** Allocator and huge pages that the recorded process had, where the run has others: then the two are not to be compared; else null. */
export function otherSetup(options: Options): string | null {
  const { spec, kernel } = options;
  const recorded = recordedSpec(options);
  const thp = recordedThp(options);
  if (setupOf(recorded) === setupOf(spec) && thp === (kernel?.thp ?? 'never')) return null;
  return `${formatAllocator(recorded)}, huge pages ${thp}`;
}

/** The settings of the program's environment, where the run has them; else nothing. */
export const ownEnvironment = (options: Options): Environment =>
  setupOf(recordedSpec(options)) === setupOf(options.spec) ? options.events.recorded.environment : [];

export const recordedSpec = ({ events, cpus }: Options): AllocatorSpec =>
  parseAllocator(recordedAllocator(events), cpus);

export const recordedThp = ({ events }: Options): string => new Map(events.recorded.machine).get('thp') ?? 'never';

/** What decides how the heap looks, but for versions: which one of the C library's it was nobody noted. */
function setupOf({ model, version, given, below }: AllocatorSpec): string {
  const options = Object.entries(given).sort(([one], [other]) => (one < other ? -1 : 1));
  const own = `${model.name} ${model.name === 'zendmm' ? version : ''} ${JSON.stringify(options)}`;
  return below ? `${own}+${setupOf(below)}` : own;
}
