import { parseAllocator } from '../../../../allocators/spec.ts';
import type { EventBuffer } from '../../../../sim/contract/event.ts';
import { recordedAllocator } from '../../../run/recorded-allocator.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import type { JudgedMoment } from '../../judged-moment.ts';
import { isRecorded } from '../going-down/final-frees.ts';
import { upTo } from '../settings/what-if.ts';
import { JUDGED } from './moment.ts';
import { loadForMoment, momentOf } from './moment-in-run.ts';

/** The part of a workload that is judged. */
export interface UpToMoment {
  readonly events: EventBuffer;
  /** As in --at; undefined where all of it is judged. */
  readonly until?: string;
  /** null where all of it is. */
  readonly moment: JudgedMoment | null;
}

/**
 * What every command judges that judges one moment: the events up to `at`, by default of a recording up to where explain judges it, of all else
 * to the end. `allocator`: under which the moment is looked for; undefined: the recorded one.
 */
export async function upToMoment(
  given: Omit<RunOptions, 'spec'>,
  at: string | undefined,
  allocator: string | undefined,
): Promise<UpToMoment> {
  const { events } = given;
  if (at === undefined && !isRecorded(events.source)) return { events, moment: null };
  const options = { ...given, spec: parseAllocator(allocator ?? recordedAllocator(events), given.cpus) };
  await loadForMoment(options);
  const { end, about } = momentOf(options, at);
  if (end >= events.length) return { events, moment: null };
  return { events: upTo(events, end), until: at ?? JUDGED, moment: { event: end, about } };
}
