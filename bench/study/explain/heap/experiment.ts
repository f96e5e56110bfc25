import type { Memory } from '../../../../sim/contract/memory.ts';

/**
 * What would happen if …: runs `action` on the machine itself and puts every byte of its state back. A model keeps all
 * of its state in the machine's memory, so what is measured is what would really come of it.
 */
export type Experiment = <T>(action: () => T) => T;

/** One snapshot serves all experiments at the point where the machine stands. */
export function createExperiment(memory: Memory): Experiment {
  const snapshot = memory.snapshot();
  return (action) => {
    try {
      return action();
    } finally {
      memory.restore(snapshot);
    }
  };
}
