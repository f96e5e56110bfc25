import type { PassingOrder } from '../../workloads/trace/passing.ts';
import type { TimeArguments } from './time-options.ts';

/** In which order rows are executed that are read meanwhile, as `chooseTime` takes the options; undefined where all have to be there. */
export function passingOrder({ mode, pace }: Partial<Pick<TimeArguments, 'mode' | 'pace'>>): PassingOrder | undefined {
  if (mode === 'threads' || (pace ?? 'asap') !== 'asap') return undefined;
  if (mode === 'lockstep') return 'file';
  return mode === undefined && pace === undefined ? 'own' : 'program';
}
