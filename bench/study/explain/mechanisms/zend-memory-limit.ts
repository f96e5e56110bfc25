import { type AllocatorSpec, formatAllocator, parseAllocator } from '../../../../allocators/spec.ts';
import { bytes } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { LockstepRun } from '../../../run/modes/lockstep.ts';
import type { RunOptions } from '../../../run/run-options.ts';
import type { Mechanism } from './mechanism.ts';

const MIB = 1024 * 1024;

/** Allocations that failed for PHP's memory_limit, and the least one that lets all of them through. */
export const zendMemoryLimit: Mechanism = {
  name: 'memory limit',
  detect({ options, end, failedAllocations }) {
    const limit = options.spec.given['memory_limit'];
    if (typeof limit !== 'number' || limit < 0 || failedAllocations === 0) return undefined;
    const peak = realPeakWithoutLimit(options, end);
    if (peak <= limit) return undefined;
    const enough = Math.ceil(peak / MIB);
    return {
      mechanism: 'memory limit',
      bytes: 0,
      isNoLeak: true,
      sentences: [
        `memory_limit ${bytes(limit)} was met: the real program ends there with “Allowed memory size … exhausted”. Without a limit its heap reaches ${bytes(peak)} of chunks and large blocks up to here (run), which is what the limit counts.`,
      ],
      settings: [],
      remedies: [{ place: 'php.ini', text: `memory_limit = ${enough}M` }],
    };
  },
};

function realPeakWithoutLimit(options: RunOptions, end: number): Bytes {
  const run = new LockstepRun({ ...options, spec: unlimited(options.spec, options.cpus), lastSampleOnly: true });
  run.advance(end);
  return Number(run.assembled.top.stats()['memory_get_peak_usage_real']);
}

const unlimited = (spec: AllocatorSpec, cpus: number): AllocatorSpec =>
  parseAllocator(formatAllocator({ ...spec, given: { ...spec.given, memory_limit: -1 } }), cpus);
