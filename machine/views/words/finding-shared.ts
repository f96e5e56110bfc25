import { kbSize, list, most } from './figures.ts';
import { type Finding, finding } from './finding.ts';
import type { History } from './history.ts';
import type { Moment, SharedObject } from './moment.ts';

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);

const mappedRss = (object: SharedObject) => sum(object.mappers, ({ rssKb }) => rssKb);
const mappedPss = (object: SharedObject) => sum(object.mappers, ({ pssKb }) => pssKb);

/** Shared memory in more than one RSS, in kB more than there is of it. */
const twiceKb = ({ shared }: Moment) => sum(shared, (object) => Math.max(0, mappedRss(object) - mappedPss(object)));
/** Files in more than one RSS, in kB more than there is of them in memory. */
const filesTwiceKb = ({ full }: Moment) =>
  Math.max(0, sum(full, ({ fileRssKb }) => fileRssKb) - sum(full, ({ filePssKb }) => filePssKb));
/** Private memory that a fork left in more than one RSS. */
const forkedKb = ({ full }: Moment) =>
  Math.max(0, sum(full, ({ rollup }) => rollup['Anonymous']!) - sum(full, ({ rollup }) => rollup['Pss_Anon']!));
/** Shared memory without a name that is in no RSS. */
const nobodysKb = ({ shared }: Moment) => sum(shared, (object) => (object.named ? 0 : object.nobodysKb));
const tmpfsKb = ({ shared }: Moment) => sum(shared, (object) => (object.named ? object.nobodysKb : 0));

export function sharedFindings({ moments }: History): Finding[] {
  return [countedTwice(moments), forked(moments), inNobody(moments), inTmpfs(moments)].filter(
    (one) => one !== undefined,
  );
}

function countedTwice(moments: readonly Moment[]): Finding | undefined {
  const { one: moment, amount } = most(moments, (one) => twiceKb(one) + filesTwiceKb(one))!;
  if (amount === 0) return undefined;
  const files = filesTwiceKb(moment);
  const objects = moment.shared.filter((object) => mappedRss(object) > mappedPss(object));
  const processes = new Set(
    objects.flatMap(({ mappers }) => mappers.filter(({ rssKb }) => rssKb > 0).map(({ process }) => process)),
  );
  const inFiles = `At ${moment.label}, the pages of files that several processes map are ${kbSize(sum(moment.full, ({ fileRssKb }) => fileRssKb))} in their RSS, and ${kbSize(files)} less in memory.`;
  const inObjects = [
    `At ${moment.label}, ${kbSize(sum(objects, mappedPss))} of shared memory (${list(objects.map(({ name }) => name))}) are ${kbSize(sum(objects, mappedRss))} in the RSS of ${list([...processes])} together, and once in their PSS.`,
  ];
  return finding('counted-twice', amount * 1024, moment, [
    ...(objects.length > 0 ? inObjects : []),
    ...(files > 0 ? [inFiles] : []),
    'Nothing has grown by what RSS says: it counts a page for each process that touched it, Pss divides it among them, and Shmem or Cached counts it once.',
  ]);
}

function forked(moments: readonly Moment[]): Finding | undefined {
  const { one: moment, amount } = most(moments, forkedKb)!;
  if (amount === 0) return undefined;
  const anonymous = sum(moment.full, ({ rollup }) => rollup['Anonymous']!);
  return finding('forked', amount * 1024, moment, [
    `At ${moment.label}, ${kbSize(anonymous)} of private memory in the RSS of ${list(moment.full.map(({ name }) => name))} are ${kbSize(anonymous - amount)} on the machine: pages that a fork left shared until someone writes them.`,
    'Unlike shared memory it is in no Shmem, and each write makes a copy: RSS stays while AnonPages grows.',
  ]);
}

function inNobody(moments: readonly Moment[]): Finding | undefined {
  const { one: moment, amount } = most(moments, nobodysKb)!;
  if (amount === 0) return undefined;
  const objects = moment.shared.filter(({ named, nobodysKb: own }) => !named && own > 0);
  const mappers = new Set(objects.flatMap((object) => object.mappers.map(({ process }) => process)));
  const holders =
    mappers.size > 0
      ? `${list([...mappers])} ${mappers.size === 1 ? 'maps' : 'map'} it`
      : 'an open descriptor holds it';
  return finding('in-nobody', amount * 1024, moment, [
    `At ${moment.label}, ${kbSize(amount)} of ${list(objects.map(({ name }) => name))} are in nobody's RSS: whoever wrote them is gone or has unmapped them.`,
    `They stay while ${holders}; Shmem counts them, and du of /proc/PID/map_files shows them, where ps, pmap and smaps show nothing.`,
  ]);
}

function inTmpfs(moments: readonly Moment[]): Finding | undefined {
  const { one: moment, amount } = most(moments, tmpfsKb)!;
  if (amount === 0) return undefined;
  const files = moment.shared.filter(({ named, nobodysKb: own }) => named && own > 0);
  const paths = [...files].sort((a, b) => b.nobodysKb - a.nobodysKb).map(({ name }) => name);
  return finding('tmpfs', amount * 1024, moment, [
    `At ${moment.label}, ${kbSize(amount)} are files of tmpfs that are in no process's RSS: ${list(paths)}.`,
    `Shmem is ${kbSize(moment.meminfo['Shmem']!)}, and free counts it as shared and as buff/cache, but nothing can drop it: it is not in MemAvailable.`,
    'df shows it where ps and pmap do not: it goes when the files are removed.',
  ]);
}
