import type { EventBuffer } from '../../../sim/contract/event.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import type { Assembled } from '../../run/machine.ts';
import type { MomentData } from '../page-data.ts';
import type { Holders } from './holders.ts';
import { captureMoment } from './moment.ts';

/**
 * A peak is looked at again when it has grown by this share: captures stay few while a heap grows. Where nearly as much is
 * asked for as ever will be, smaller steps count.
 */
const GROWTH = 1.25;
const GROWTH_NEAR_PEAK = 1.02;
const NEAR_PEAK = 0.9;
/** The label of the moment that a verdict is about. */
export const JUDGED = 'where it is judged';
/** The label of a sample point at which a program has come to rest. */
const IDLE = 'idle';

/** Keeps what is resident at event `judged`, at the highest sample (within 2 %), at rest where the trace says so, and at the end. */
export function createMomentRecorder(events: EventBuffer, who: Holders, judged?: number) {
  let peak: MomentData | undefined;
  let idle: MomentData | undefined;
  let verdictOn: MomentData | undefined;
  let last: { readonly sample: Sample; readonly assembled: Assembled } | undefined;

  function capture(sample: Sample, assembled: Assembled): void {
    const isNear = sample.requestedBytes >= events.requestedPeakBytes * NEAR_PEAK;
    if (sample.rssBytes > (peak?.rssBytes ?? 0) * (isNear ? GROWTH_NEAR_PEAK : GROWTH)) {
      peak = captureMoment('at the peak', sample, assembled, who);
    }
    if (sample.event === judged) verdictOn = captureMoment(JUDGED, sample, assembled, who);
    if (sample.label === IDLE) idle = captureMoment('at rest', sample, assembled, who);
    last = { sample, assembled };
  }

  /** After the run; the last sample that was captured is its end. */
  function finish(): MomentData[] {
    if (!last) return [];
    const end = captureMoment('at the end', last.sample, last.assembled, who);
    const others = [verdictOn, end, idle].filter((m) => m !== undefined);
    // It is looked at in steps: where another moment has more, that one is higher.
    const isHighest = peak && others.every((m) => m.rssBytes <= peak!.rssBytes);
    const moments = [...others, ...(isHighest ? [peak!] : [])];
    // One that says the same as one before it is none of its own.
    const isSame = (m: MomentData, other: MomentData) => m.event === other.event && m.rssBytes === other.rssBytes;
    return moments.filter((m, i) => !moments.slice(0, i).some((other) => isSame(m, other)));
  }

  return { capture, finish };
}
