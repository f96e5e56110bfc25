import { kbSize, list, most } from './figures.ts';
import { type Finding, finding } from './finding.ts';
import type { History } from './history.ts';
import type { Moment, SharedObject } from './moment.ts';

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);

const mappedRss = (object: SharedObject) => sum(object.mappers, ({ rssKb }) => rssKb);
const mappedPss = (object: SharedObject) => sum(object.mappers, ({ pssKb }) => pssKb);

/** Shared memory in more than one RSS, in kB more than there is of it. */
const twiceKb = ({ shared }: Moment) => sum(shared, (object) => Math.max(0, mappedRss(object) - mappedPss(object)));
/** Private memory that a fork left in more than one RSS. */
const forkedKb = ({ full }: Moment) =>
  Math.max(0, sum(full, ({ rollup }) => rollup['Anonymous']!) - sum(full, ({ rollup }) => rollup['Pss_Anon']!));
/** Shared memory without a name that is in no RSS. */
const nobodysKb = ({ shared }: Moment) => sum(shared, (object) => (object.named ? 0 : object.nobodysKb));
const tmpfsKb = ({ shared }: Moment) => sum(shared, (object) => (object.named ? object.nobodysKb : 0));

export function sharedFindings({ moments }: History): Finding[] {
  return [countedTwice(moments), inTmpfs(moments)].filter((one) => one !== undefined);
}

function countedTwice(moments: readonly Moment[]): Finding | undefined {
  const twice = most(moments, (moment) => twiceKb(moment) + forkedKb(moment))!;
  const nobodys = most(moments, nobodysKb)!;
  const kb = Math.max(twice.amount, nobodys.amount);
  if (kb === 0) return undefined;
  const sentences: string[] = [];
  if (twice.amount > 0) sentences.push(...twiceSentences(twice.one));
  if (nobodys.amount > 0) {
    const objects = nobodys.one.shared.filter(({ named, nobodysKb: own }) => !named && own > 0);
    sentences.push(
      `At ${nobodys.one.label}, ${kbSize(nobodys.amount)} of ${list(objects.map(({ name }) => name))} are in nobody's RSS: those who wrote them are gone or have not touched them, and they stay until the last process that maps them unmaps it or ends.`,
    );
  }
  sentences.push(
    'No process has grown by what RSS says: Pss divides each page by those who map it, and Shmem counts it once.',
  );
  return finding('shared-memory', kb * 1024, (twice.amount >= nobodys.amount ? twice : nobodys).one, sentences);
}

function twiceSentences(moment: Moment): string[] {
  const sentences: string[] = [];
  const objects = moment.shared.filter((object) => mappedRss(object) > mappedPss(object));
  if (twiceKb(moment) > 0) {
    const processes = new Set(
      objects.flatMap(({ mappers }) => mappers.filter(({ rssKb }) => rssKb > 0).map((m) => m.process)),
    );
    sentences.push(
      `At ${moment.label}, ${kbSize(sum(objects, ({ residentKb }) => residentKb))} of shared memory (${list(objects.map(({ name }) => name))}) are ${kbSize(sum(objects, mappedRss))} in the RSS of ${list([...processes])} together, and ${kbSize(sum(objects, mappedPss))} in their PSS.`,
    );
  }
  const forked = forkedKb(moment);
  if (forked > 0 && forked * 4 > twiceKb(moment)) {
    const anonymous = sum(moment.full, ({ rollup }) => rollup['Anonymous']!);
    sentences.push(
      `At ${moment.label}, ${kbSize(anonymous)} of private memory in the RSS of ${list(moment.full.map(({ name }) => name))} are ${kbSize(anonymous - forked)} on the machine: pages that a fork left shared until someone writes them.`,
    );
  }
  return sentences;
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
