import type { EventBuffer, PassingTrace, Touch } from '../../../sim/contract/event.ts';
import { uncontendedLocks } from '../../../sim/contract/locks.ts';
import type { Addr } from '../../../sim/contract/units.ts';
import { KERNEL_DEFAULTS } from '../../../sim/kernel/kernel.ts';
import { createLockstep, type Lockstep } from '../../../sim/replay/lockstep.ts';
import { createTlbObserver, type TlbObserver } from '../../../sim/tlb/observed.ts';
import { createProcessBeginning, type RunMachine } from '../kept-machine.ts';
import { type Assembled, assemble } from '../machine.ts';
import type { RunOptions } from '../run-options.ts';

type Options = RunOptions<EventBuffer | PassingTrace>;

/** Whoever runs the machine now. */
export interface LockstepListener {
  failed(row: number): void;
  addressOfRow(row: number): Addr;
}

/** A process and the trace that it executes in file order. */
export interface LockstepMachine extends RunMachine {
  readonly touch: Touch;
  readonly assembled: Assembled;
  readonly lockstep: Lockstep;
  readonly tlb: TlbObserver | undefined;
  /** A run begins: the only one, or, of a machine that is kept, another one. */
  begin(options: Options, listener: LockstepListener): void;
}

/** `isKept`: it will be used again, for runs of the same shape (machine-shape.ts). */
export function createLockstepMachine(options: Options, isKept = false): LockstepMachine {
  const { events } = options;
  const touch = options.touch ?? events.touch;
  const assembled = assemble({
    spec: options.spec,
    events,
    cpus: options.cpus,
    touch,
    kernel: { ...KERNEL_DEFAULTS, ...options.kernel },
    locks: uncontendedLocks,
    bootsLater: isKept,
  });
  const { machine, objects, allocator, request } = assembled;
  const tlb = options.tlb && createTlbObserver(machine.kernel, options.tlb);
  let listener: LockstepListener | undefined;
  const lockstep = createLockstep({
    events,
    objects,
    kernel: machine.kernel,
    allocator: tlb ? tlb.observe(allocator) : allocator,
    request: tlb && request ? tlb.observe(request) : request,
    ...(tlb && { beforeWrite: tlb.runs, pagesMayGo: true }),
    touches: touch !== 'none',
    onFailure: (row) => listener!.failed(row),
    addressOfRow: (row) => listener!.addressOfRow(row),
  });
  const { begin } = createProcessBeginning(assembled);

  return {
    events,
    touch,
    assembled,
    lockstep,
    tlb,
    begin(next, heardBy) {
      listener = heardBy;
      if (isKept) begin(next.spec);
    },
  };
}
