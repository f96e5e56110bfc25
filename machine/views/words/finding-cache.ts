import { kbSize, list, most, number, size } from './figures.ts';
import { type Finding, finding } from './finding.ts';
import { type History, happened } from './history.ts';
import type { Moment } from './moment.ts';

const cacheKb = ({ cache }: Moment) => cache.cleanInactiveKb + cache.cleanActiveKb + cache.dirtyKb;

/** Less of what is available, or of a group's limit, makes no difference to anyone. */
const TRUSTED_SHARE = 0.1;

const cacheBytesOf = (stat: Readonly<Record<string, number>>): number => (stat['file'] ?? 0) - (stat['shmem'] ?? 0);

/** Page cache: read again after it was evicted, or counted as available though programs live on it. */
export function cacheFindings(history: History): Finding[] {
  const evicts = evicting(history);
  const trusted = trusting(history);
  return [evicts, evicts ? undefined : trusted].filter((one) => one !== undefined);
}

function evicting(history: History): Finding | undefined {
  const refaults = happened(history, 'workingset_refault_file');
  const refaultsAnon = happened(history, 'workingset_refault_anon');
  if (refaults === 0) return undefined;
  // Those of groups are in here too, and not in pgsteal_kswapd and pgsteal_direct.
  const stolen = happened(history, 'pgsteal_file') + happened(history, 'pgsteal_anon');
  const moment = most(history.moments, (one) => one.vmstat['workingset_refault_file']!)!.one;
  const sentences = [
    `${kbSize(stolen * 4)} were evicted, and ${kbSize(refaults * 4)} of files had to be read again (${number(refaults, 'refault')}): what is read over and over does not fit in the memory that is left for it.`,
  ];
  const groups = moment.groupMoments.filter(({ stat }) => (stat['workingset_refault_file'] ?? 0) > 0);
  if (groups.length > 0) {
    const each = groups.map(({ name, stat }) => `${name} (${kbSize(stat['workingset_refault_file']! * 4)})`);
    sentences.push(`It was read again for ${list(each)}, whose limit is what it does not fit in.`);
  }
  if (refaultsAnon > 0) sentences.push(`${kbSize(refaultsAnon * 4)} of the programs were fetched again from swap.`);
  if (happened(history, 'pswpout') > 0)
    sentences.push(`${kbSize(happened(history, 'pswpout') * 4)} of the programs went to swap for it.`);
  sentences.push(
    'MemFree and MemAvailable look the same as with a cache that helps: workingset_refault and bytes read from the disk tell them apart.',
  );
  return finding('cache-evicts', refaults * 4096, moment, sentences);
}

function trusting(history: History): Finding | undefined {
  const { moments } = history;
  const { one: moment, amount } = most(moments, cacheKb)!;
  const { meminfo, cache } = moment;
  const holdsAGroup = moment.groupMoments.some(({ stat, maxBytes }) => cacheBytesOf(stat) > maxBytes * TRUSTED_SHARE);
  if (amount < meminfo['MemAvailable']! * TRUSTED_SHARE && !holdsAGroup) return undefined;
  const sentences = [
    `At ${moment.label}, ${kbSize(amount)} are page cache of files, and MemAvailable trusts it: ${kbSize(meminfo['MemAvailable']!)}, where ${kbSize(meminfo['MemFree']!)} are free${meminfo['MemAvailable']! > meminfo['MemFree']! ? '' : ", from which it takes more for the kernel's reserve"}.`,
    `${kbSize(cache.cleanInactiveKb)} of the cache were used once, ${kbSize(cache.cleanActiveKb)} again and again${cache.dirtyKb >= 1024 ? `, and ${kbSize(cache.dirtyKb)} must be written first` : ''}.`,
  ];
  for (const group of moment.groupMoments) {
    const cacheBytes = cacheBytesOf(group.stat);
    if (!Number.isFinite(group.maxBytes) || cacheBytes * 2 < amount * 1024) continue;
    // A group counts what waits in the processor's batches, the lists do not.
    const share = cacheBytes >= amount * 1024 ? 'All of it is' : `${size(cacheBytes)} of it are`;
    sentences.push(
      `${share} paid by ${group.name}, which stands at ${size(group.currentBytes)} of ${size(group.maxBytes)}: most of that is cache that a limit makes it drop, not what would kill it.`,
    );
  }
  const stolen = happened(history, 'pgsteal_file');
  sentences.push(
    `${stolen > 0 ? `${kbSize(stolen * 4)} were evicted and none of it was read again` : 'Nothing had to be evicted'}: memory that is used as cache is not lost, and no process has to give it back.`,
  );
  return finding('cache-trusted', amount * 1024, moment, sentences);
}
