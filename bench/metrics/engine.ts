import type { Metric } from './metric.ts';

/** The simulator's own speed: compare it only between runs on one machine. */
export const ENGINE_METRICS: readonly Metric[] = [
  {
    name: 'engineEventsPerSecond',
    unit: 'events/s',
    better: 'higher',
    about: 'events that the simulator replays in a second of wall time',
    deterministic: false,
    of: (r) => (r.engine.replayNs > 0 ? (r.engine.events / r.engine.replayNs) * 1e9 : null),
  },
];
