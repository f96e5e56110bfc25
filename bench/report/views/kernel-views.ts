import type { Assembled } from '../../run/machine.ts';
import { meminfoText, pmapText, smapsText, statusText } from './proc.ts';

export interface KernelView {
  readonly name: string;
  readonly about: string;
  readonly render: (assembled: Assembled) => string;
}

/** What the kernel would show of the process, whatever its allocator. */
export const KERNEL_VIEWS: readonly KernelView[] = [
  {
    name: 'pmap',
    about: 'pmap -x: the mappings with their resident kilobytes',
    render: (a) => pmapText(a.machine.kernel),
  },
  { name: 'smaps', about: '/proc/PID/smaps', render: (a) => smapsText(a.machine.kernel) },
  { name: 'status', about: 'the memory lines of /proc/PID/status', render: (a) => statusText(a.machine.kernel) },
  {
    name: 'meminfo',
    about: 'what the process adds to the lines of /proc/meminfo',
    render: (a) => meminfoText(a.machine.kernel),
  },
];
/** The system calls of the run. */
export const STRACE = 'strace';
