import { type Bytes, PAGE_BYTES } from '../../sim/units.ts';
import type { Assembled } from '../machine.ts';
import { type Area, residentBytes } from './areas.ts';
import type { Experiment } from './experiment.ts';
import { purge } from './pinning.ts';

/** What a request to give memory back would do now; measured by making it and undoing it. */
export interface ReturnPrediction {
  readonly call: string;
  /** By how much the resident bytes would fall. */
  readonly returnsBytes: Bytes;
  /** What the call would return, where it returns something. */
  readonly returnValue: boolean | undefined;
  /** Where the bytes come from, largest first; areas that give nothing are left out. */
  readonly byArea: readonly { readonly area: string; readonly returnsBytes: Bytes }[];
}

/** What malloc_trim(pad), called by thread slot `t`, would give back. */
export function predictTrim(
  assembled: Assembled,
  areas: readonly Area[],
  experiment: Experiment,
  pad: Bytes,
  t = 0,
): ReturnPrediction {
  return predict(assembled, areas, experiment, `malloc_trim(${pad})`, () => assembled.allocator.trim(t, pad));
}

/** What asking for everything gives back: malloc_trim(0), and the allocator's own purge where it has one. */
export function predictReturns(
  assembled: Assembled,
  areas: readonly Area[],
  experiment: Experiment,
): readonly [ReturnPrediction, ...ReturnPrediction[]] {
  const trim = predictTrim(assembled, areas, experiment, 0);
  if (!assembled.top.purge && !assembled.allocator.purge) return [trim];
  const purged = predict(assembled, areas, experiment, 'purge', () => {
    purge(assembled);
    return undefined;
  });
  if (trim.returnsBytes >= purged.returnsBytes && trim.returnsBytes > 0) return [trim];
  return trim.returnsBytes > 0 ? [purged, trim] : [purged];
}

function predict(
  assembled: Assembled,
  areas: readonly Area[],
  experiment: Experiment,
  call: string,
  action: () => boolean | undefined,
): ReturnPrediction {
  const { residency } = assembled.machine.kernel;
  const before = areas.map((area) => residentBytes(assembled, area));
  const pages = residency.residentPages();
  return experiment(() => {
    const returnValue = action();
    return {
      call,
      returnValue,
      returnsBytes: (pages - residency.residentPages()) * PAGE_BYTES,
      byArea: areas
        .map((area, i) => ({ area: area.name, returnsBytes: before[i]! - residentBytes(assembled, area) }))
        .filter((a) => a.returnsBytes !== 0)
        .sort((x, y) => y.returnsBytes - x.returnsBytes),
    };
  });
}
