import { PAGE_BYTES, type Pages } from '../../../sim/contract/units.ts';
import type { Sample } from '../../../sim/metrics/sample.ts';
import { AT_END, WHERE_JUDGED } from '../../metrics/end-words.ts';
import type { Assembled } from '../../run/machine.ts';
import type { MomentData } from '../page-data.ts';
import type { LastRows } from './freed-columns.ts';
import type { Holders } from './holders.ts';
import { captureMoment } from './moment.ts';

const AT_PEAK = 'at the peak';
/** Where the event that needed the most gave some of it back before it was over. */
const BEHIND_PEAK = 'just behind the peak';
/** The label of a sample point at which a program has come to rest. */
const IDLE = 'idle';

/** What is looked at: the sample where so many events are done, and the first one by which so many pages were resident. */
interface Wanted {
  readonly judged?: number | undefined;
  readonly peakPages?: Pages | undefined;
  /** Who has watched the run, in file order. */
  readonly lastFreed?: (() => LastRows | undefined) | undefined;
}

/** Keeps what is resident where it is judged, at the peak, at rest where the trace says so, and at the end. */
export function createMomentRecorder(who: Holders, { judged, peakPages, lastFreed }: Wanted = {}) {
  const judgedLabel = judged === undefined ? undefined : `#${judged}`;
  let peak: MomentData | undefined;
  let idle: MomentData | undefined;
  let verdictOn: MomentData | undefined;
  let last: { readonly sample: Sample; readonly assembled: Assembled } | undefined;

  function capture(sample: Sample, assembled: Assembled): void {
    const { residency } = assembled.machine.kernel;
    if (!peak && peakPages && residency.residentPeakPages() >= peakPages) {
      const isThere = sample.rssBytes === residency.residentPeakPages() * PAGE_BYTES;
      peak = captureMoment(isThere ? AT_PEAK : BEHIND_PEAK, sample, assembled, who, lastFreed?.());
    }
    if (sample.label === judgedLabel) verdictOn = captureMoment(WHERE_JUDGED, sample, assembled, who, lastFreed?.());
    if (sample.label === IDLE) idle = captureMoment('at rest', sample, assembled, who, lastFreed?.());
    last = { sample, assembled };
  }

  /** After the run; the last sample that was captured is its end. */
  function finish(): MomentData[] {
    if (!last) return [];
    const end = captureMoment(AT_END, last.sample, last.assembled, who, lastFreed?.());
    const others = [verdictOn, end, idle].filter((m) => m !== undefined);
    // Behind its peak a run may have less than elsewhere.
    const isHighest = peak && others.every((m) => m.rssBytes <= peak!.rssBytes);
    const moments = [...others, ...(isHighest ? [peak!] : [])];
    // One that says the same as one before it is none of its own.
    const said = ({ rssBytes, places, blocks }: MomentData) => JSON.stringify([rssBytes, places, blocks]);
    const isSame = (m: MomentData, other: MomentData) =>
      m.rssBytes === other.rssBytes && (m.event === other.event || said(m) === said(other));
    return moments.filter((m, i) => !moments.slice(0, i).some((other) => isSame(m, other)));
  }

  return { capture, finish };
}
