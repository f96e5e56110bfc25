import type { EventBuffer } from '../../../sim/contract/event.ts';
import { bytes } from '../../../sim/contract/format.ts';
import { PAGE_BYTES } from '../../../sim/contract/units.ts';
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
const AT_PEAK = 'at the peak';
/** Of a sample that has less. */
const NEAR_PEAK_LABEL = 'near the peak';
/** The label of a sample point at which a program has come to rest. */
const IDLE = 'idle';

/** Events whose samples are looked at: where it is judged, and where the most is resident, as far as that is known. */
interface Wanted {
  readonly judged?: number | undefined;
  readonly peak?: number | undefined;
}

/** Keeps what is resident where it is judged, at the peak or (within 2 %) the highest sample, at rest where the trace says so, and at the end. */
export function createMomentRecorder(events: EventBuffer, who: Holders, wanted: Wanted = {}) {
  let peak: MomentData | undefined;
  let idle: MomentData | undefined;
  let verdictOn: MomentData | undefined;
  let last: { readonly sample: Sample; readonly assembled: Assembled } | undefined;

  function capture(sample: Sample, assembled: Assembled): void {
    const isNear = sample.requestedBytes >= events.requestedPeakBytes * NEAR_PEAK;
    const least = sample.event === wanted.peak ? 1 : isNear ? GROWTH_NEAR_PEAK : GROWTH;
    if (sample.rssBytes > (peak?.rssBytes ?? 0) * least) {
      peak = captureMoment(AT_PEAK, sample, assembled, who);
    }
    if (sample.event === wanted.judged) verdictOn = captureMoment(JUDGED, sample, assembled, who);
    if (sample.label === IDLE) idle = captureMoment('at rest', sample, assembled, who);
    last = { sample, assembled };
  }

  /** After the run; the last sample that was captured is its end. */
  function finish(): MomentData[] {
    if (!last) return [];
    const end = captureMoment('at the end', last.sample, last.assembled, who);
    const others = [verdictOn, end, idle].filter((m) => m !== undefined);
    // It may be looked at in steps: where another moment has more, that one is higher.
    const isHighest = peak && others.every((m) => m.rssBytes <= peak!.rssBytes);
    const peakBytes = last.assembled.machine.kernel.residency.residentPeakPages() * PAGE_BYTES;
    const label = bytes(peakBytes) === bytes(peak?.rssBytes ?? 0) ? AT_PEAK : NEAR_PEAK_LABEL;
    const moments = [...others, ...(isHighest ? [{ ...peak!, label }] : [])];
    // One that says the same as one before it is none of its own.
    const isSame = (m: MomentData, other: MomentData) => m.event === other.event && m.rssBytes === other.rssBytes;
    return moments.filter((m, i) => !moments.slice(0, i).some((other) => isSame(m, other)));
  }

  return { capture, finish };
}
