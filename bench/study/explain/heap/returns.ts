import type { ThreadSlot } from '../../../../sim/contract/allocator.ts';
import { type Bytes, PAGE_BYTES } from '../../../../sim/contract/units.ts';
import { type Area, residentBytes } from '../../../run/areas.ts';
import type { Assembled } from '../../../run/machine.ts';
import type { Experiment } from './experiment.ts';
import { canFlush, purge, releaseAll } from './release.ts';

/** What a request to give memory back would do now; measured by making it and undoing it. */
export interface ReturnPrediction {
  readonly call: string;
  /** Whether the thread caches are emptied too: what lies in them is no retention. */
  readonly flushesCaches: boolean;
  /** By how much the resident bytes would fall. */
  readonly returnsBytes: Bytes;
  /** What the call would return, where it returns something. */
  readonly returnValue: boolean | undefined;
  /** Where the bytes come from, largest first; areas that give nothing are left out. */
  readonly byArea: readonly { readonly index: number; readonly area: string; readonly returnsBytes: Bytes }[];
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

/** What can be asked for, the most first; a request that returns no more than the next simpler one is left out. */
export function predictReturns(
  assembled: Assembled,
  areas: readonly Area[],
  threads: readonly ThreadSlot[],
  experiment: Experiment,
): readonly [ReturnPrediction, ...ReturnPrediction[]] {
  const purged = predict(assembled, areas, experiment, 'purge', () => {
    purge(assembled);
    return undefined;
  });
  const requests = canFlush(assembled)
    ? [
        {
          ...predict(assembled, areas, experiment, 'flush of all thread caches and purge', () => {
            releaseAll(assembled, threads);
            return undefined;
          }),
          flushesCaches: true,
        },
        purged,
      ]
    : [purged, predictTrim(assembled, areas, experiment, 0)];
  return requests.filter(
    (request, i) => request.returnsBytes !== requests[i + 1]?.returnsBytes,
  ) as unknown as readonly [ReturnPrediction, ...ReturnPrediction[]];
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
      flushesCaches: false,
      returnValue,
      returnsBytes: (pages - residency.residentPages()) * PAGE_BYTES,
      byArea: areas
        .map((area, index) => ({
          index,
          area: area.name,
          returnsBytes: before[index]! - residentBytes(assembled, area),
        }))
        .filter((a) => a.returnsBytes !== 0)
        .sort((x, y) => y.returnsBytes - x.returnsBytes),
    };
  });
}
