import { bytes, counted } from '../../../../sim/contract/format.ts';
import type { Setting } from '../settings/setting.ts';
import type { Mechanism } from './mechanism.ts';

export const HUGE_BYTES = 2 * 1024 * 1024;

/** One write makes 2 MiB resident, and what is freed within them goes back only where the kernel splits them. */
export const hugePages: Mechanism = {
  name: 'huge pages',
  detect({ facts, options }) {
    const { hugeFaults, rssBytes, requestedBytes } = facts.sample;
    if (hugeFaults === 0 || rssBytes === 0) return undefined;
    const settings: Setting[] = [];
    if ((options.kernel?.thp ?? 'never') === 'always') {
      for (const allocator of ['glibc', 'jemalloc', 'zendmm']) {
        settings.push({
          allocator,
          options: {},
          thp: 'never',
          about:
            'no transparent huge pages for this process: prctl(PR_SET_THP_DISABLE), or madvise in /sys/kernel/mm/transparent_hugepage/enabled',
        });
      }
    }
    settings.push({
      allocator: 'jemalloc',
      options: { thp: 'never' },
      about: 'extents of jemalloc are advised against huge pages',
    });
    settings.push({
      allocator: 'zendmm',
      options: { USE_ZEND_ALLOC_HUGE_PAGES: false },
      about: 'PHP does not ask for huge pages',
    });
    settings.push({ allocator: 'glibc', options: { hugetlb: 0 }, about: 'glibc asks for no huge pages' });
    return {
      mechanism: 'huge pages',
      bytes: Math.min(rssBytes, hugeFaults * HUGE_BYTES),
      sentences: [
        `${counted(hugeFaults, 'fault')} brought in huge pages of 2 MiB, ${bytes(hugeFaults * HUGE_BYTES)} in all: one byte written makes a whole one resident. How much of a mapping that covers depends on where the kernel puts it, another place in every run: up to 2 MiB more or less for each. Live blocks ask for ${bytes(requestedBytes)}.`,
      ],
      settings,
    };
  },
};
