import type { EventBuffer } from '../../../sim/contract/event.ts';
import { traceHash } from './trace-content.ts';

/** Piscina's entry. */
export default (events: EventBuffer): string => traceHash(events);
