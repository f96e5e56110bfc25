import type { AllocatorSpec } from '../../allocators/spec.ts';
import { assert } from '../../sim/contract/assert.ts';
import type { EventBuffer, PassingTrace } from '../../sim/contract/event.ts';
import type { Snapshot } from '../../sim/contract/memory.ts';
import type { Assembled } from './machine.ts';

/** Of a run in any mode. */
export interface RunMachine {
  /** Into the columns of a trace that passes its rows come in every run. */
  readonly events: EventBuffer | PassingTrace;
}

/**
 * The machine of the last run, for a next one of the same shape (machine-shape.ts). The host's compiler knows the functions over a machine's memory; over
 * another machine's it begins anew, and forgets what it knew of the first.
 */
export interface MachineKeeper {
  /** The kept machine, where it is of that shape. */
  look(shape: string): RunMachine | undefined;
  /** The kept machine, which is kept no more, where it is of that shape; any other is given up. */
  take(shape: string): RunMachine | undefined;
  put(shape: string, machine: RunMachine): void;
}

export function createMachineKeeper(): MachineKeeper {
  let kept: { readonly shape: string; readonly machine: RunMachine } | undefined;
  const look = (shape: string) => (kept?.shape === shape ? kept.machine : undefined);
  return {
    look,
    take(shape) {
      const taken = look(shape);
      kept = undefined;
      return taken;
    },
    put(shape, machine) {
      kept = { shape, machine };
    },
  };
}

/** Where a run finds its machine, and leaves it. */
export interface MachinePlace {
  readonly shape: string;
  readonly keeper: MachineKeeper;
}

/** Makes a run in the machine that was kept, or in one that is made. Whatever goes wrong in it ends the machine. */
export async function runInMachine<M extends RunMachine, R>(
  place: MachinePlace | undefined,
  make: (isKept: boolean) => M,
  run: (machine: M) => Promise<R>,
): Promise<R> {
  if (place === undefined) return run(make(false));
  const { shape, keeper } = place;
  const machine = (keeper.take(shape) as M | undefined) ?? make(true);
  const result = await run(machine);
  keeper.put(shape, machine);
  return result;
}

/** Puts a process back to where its allocators have not done anything yet, and has them begin, with the options of the next run. */
export interface ProcessBeginning {
  /** Before each run, the first as well. */
  begin(spec: AllocatorSpec): void;
}

/** `parts`: what else is put back with the memory. */
export function createProcessBeginning(
  { machine, boot, top, below }: Assembled,
  parts: { readonly mark: () => void; readonly putBack: (putMemoryBack: () => void) => void } = {
    mark: () => {},
    putBack: (putMemoryBack) => putMemoryBack(),
  },
): ProcessBeginning {
  let start: Snapshot | undefined;
  return {
    begin(spec) {
      if (start === undefined) {
        start = machine.memory.snapshot();
        parts.mark();
      } else {
        const taken = start;
        parts.putBack(() => machine.memory.restore(taken));
      }
      assert((below === undefined) === (spec.below === undefined), 'a machine of other layers');
      if (spec.below) below!.configure?.(spec.below.options, spec.below.given);
      top.configure?.(spec.options, spec.given);
      boot();
    },
  };
}
