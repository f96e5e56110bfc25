import { explain } from '../../bench/study/explain/explain.ts';
import type { Facts } from '../../bench/study/explain/explanation.ts';
import type { OrderRange, WhatIf } from '../../bench/study/explain/settings/what-if.ts';
import { bumpOptions } from './bump-run.ts';

export const MIB = 1024 * 1024;
const {
  whatIf: _none,
  verdict: _verdict,
  schema: _schema,
  partial: _partial,
  ...seen
} = explain({
  ...bumpOptions(['m 0 1 100000']),
  whatIf: false,
});
/** Of a process of 10 MiB. */
export const facts: Facts = {
  ...seen,
  sample: { ...seen.sample, rssBytes: 10 * MIB, faults: 2000, syscalls: { ...seen.sample.syscalls, brk: 100 } },
  rssPeakBytes: 12 * MIB,
  times: { cpuNs: 1000, lockWaitNs: 0, faults: 3000, syscalls: 100, threadNs: 10_000 },
};

/** One that saves half of it for nothing. */
export const setting = (over: Partial<WhatIf>): WhatIf => ({
  setting: 'top_pad=0',
  about: 'a test',
  mechanism: 'usual',
  allocator: 'glibc:top_pad=0',
  rssBytes: 5 * MIB,
  orders: null,
  rssPeakBytes: 12 * MIB,
  vszBytes: 20 * MIB,
  breakdown: seen.sample.breakdown,
  faults: 2000,
  syscalls: 100,
  workNs: 1000,
  cpuNs: 1000,
  cpuMostNs: null,
  lockWaitNs: 0,
  timedFaults: null,
  timedSyscalls: null,
  failed: false,
  thp: null,
  paste: { shell: 'X=1', systemd: 'Environment=X=1', dockerfile: 'ENV X=1' },
  ...over,
});

/** In MiB. */
export const range = (least: number, most: number): OrderRange => ({
  leastBytes: least * MIB,
  mostBytes: most * MIB,
  leftOut: 0,
  leftOutMostBytes: 0,
});
