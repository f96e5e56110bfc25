import { expect, test } from 'vitest';
import { comparedSitesText, compareSites } from '../../../bench/study/compare/sites.ts';
import { eventsWithSites } from '../../helpers/bump-run.ts';

test('by line of code under each allocator, and what differs', async () => {
  const events = eventsWithSites();
  const allocators = ['glibc:mmap_threshold=33554432', 'glibc', 'glibc:tcache_count=7,mmap_threshold=33554432'];
  const compared = await compareSites({ events, workload: 'test', cpus: 1 }, allocators, undefined);
  const freed = compared.allocators.map(({ sites }) => sites.reduce((sum, site) => sum + site.freed, 0));
  expect(freed[0]! - freed[1]!).toBeGreaterThan(390000); // mappings that their free has unmapped
  const text = comparedSitesText(compared);
  expect(text).toContain('glibc against glibc:mmap_threshold=33554432');
  expect(text).toMatch(/-3\d\d\.\d KiB {2}big/);
  expect(text.trimEnd().endsWith('nothing')).toBe(true); // the third one is the first one
});
