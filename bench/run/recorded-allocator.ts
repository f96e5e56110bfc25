import type { EventBuffer, PassingTrace } from '../../sim/contract/event.ts';

/** As in --allocator: what the recorded program ran under; glibc for whatever was not recorded. */
export function recordedAllocator({ recorded }: Pick<EventBuffer | PassingTrace, 'recorded'>): string {
  const machine = new Map(recorded.machine);
  const below = machine.get('allocator')?.includes('jemalloc') ? 'jemalloc' : 'glibc';
  const zend = machine.get('zend');
  return zend === undefined ? below : `zendmm@${zend.startsWith('3.') ? '7.1' : '8.2'}+${below}`;
}
