import { bytes } from '../../../sim/contract/format.ts';
import type { Area } from '../../run/areas.ts';

/** Why a free page of an area stays: behind its last live block, and elsewhere. As the end of a sentence; '' where nothing is known. */
export interface KeepingRule {
  readonly end: string;
  readonly within: string;
}

/** The allocator's own rule, with the thresholds as they are. */
export function keepingRule({ name, kind }: Area, tunables: Readonly<Record<string, number>> | undefined): KeepingRule {
  const trim = tunables?.['trim_threshold'];
  if (kind === 'heap' && trim !== undefined) {
    return {
      end: `glibc cuts the end off, down to the last chunk that is in use or waits in a cache or fastbin, at a free of 64 KiB and more, merged with its neighbours, that finds it above the trim threshold, ${bytes(trim)} now`,
      within: 'glibc cuts off ends alone: it goes when all above it is freed, or with malloc_trim',
    };
  }
  if (name.includes('dirty extent'))
    return same('jemalloc keeps it until its decay time is over and some thread looks at the clock');
  if (name.includes('muzzy extent'))
    return same('it was given back with MADV_FREE: the kernel takes it when it needs memory');
  if (name.includes('cached chunk')) return same('the Zend heap keeps the chunk for later requests');
  if (name.includes('main chunk')) return same('the Zend heap keeps its first chunk as long as the process');
  if (kind === 'slab') return same('it goes with the whole slab, when no region of it is used');
  if (kind === 'chunk') return same('it goes with the whole chunk, when no page of it is used');
  return same('');
}

const same = (text: string): KeepingRule => ({ end: text, within: text });
