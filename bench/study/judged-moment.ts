import { fold } from '../report/text/fold.ts';

/** Where a workload was judged that went on behind it. */
export interface JudgedMoment {
  /** Events executed. */
  readonly event: number;
  /** Completes "Judged …". */
  readonly about: string;
}

/** Up to where every figure of an answer is; nothing where that is the end. */
export function upToMomentText(moment: JudgedMoment | null, width: number): string {
  if (!moment) return '';
  return `${fold(`Every figure is up to the moment ${moment.about}. The run to its end: --at end.`, width).join('\n')}\n`;
}
