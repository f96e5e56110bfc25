import type { EventBuffer } from '../../../sim/contract/event.ts';
import { generateEvents } from '../../../workloads/index.ts';

/** Of a task: its events, or from what they are made. */
export interface EventsOfTask {
  readonly workload: string;
  readonly parameters: Readonly<Record<string, number | string | boolean>>;
  readonly events?: EventBuffer;
  readonly generated?: boolean;
}

/** Of a task that came without them. */
export function eventsOf({ workload, parameters, events, generated }: EventsOfTask): EventBuffer {
  if (events) return events;
  if (!generated) throw new Error(`${workload}: a task without events, and none that can be generated`);
  return generateEvents(workload, parameters);
}
