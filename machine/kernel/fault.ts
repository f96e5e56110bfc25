/** What a fault came to (vm_fault_t): bits. */
export const FAULT_DONE = 0;
export const FAULT_SIGBUS = 1;
export const FAULT_OOM = 2;
export const FAULT_MAJOR = 4;
export const FAULT_RETRY = 8;
export type FaultResult = number;
