import { CLASSES } from '../names.ts';
import type { FreedColumns } from '../page-data.ts';
import { blockNames, type Holders } from './holders.ts';
import type { ResidentPages } from './resident-pages.ts';

/** More runs of pages than this are not told apart by the event that freed; more than that even then, not at all. */
const RUNS_MAX = 6000;
const FREE = ['cached', 'pinned', 'withinSlabs', 'returnable'];

/** 1 + the row that allocated, and that freed, the last block of each page (last-freed.ts). */
export interface LastRows {
  readonly allocated: Int32Array;
  readonly freed: Int32Array;
}

interface FreedRun {
  readonly page: number;
  length: number;
  readonly event: number;
  readonly freedAt: number;
}

/** Whose memory the free bytes were, page by page; null where there are too many to tell. */
export function freedColumns(read: ResidentPages, last: LastRows, who: Holders): FreedColumns | null {
  const byThread = (row: number) => `${who.siteOf(row)} ${who.births.threadOf(row)}`;
  for (const isExact of [true, false]) {
    const key = isExact ? (a: number, f: number) => `${a} ${f}` : (a: number) => byThread(a);
    const runs = runsOf(read, last, key);
    if (runs.length > RUNS_MAX) continue;
    return {
      page: runs.map((run, i) => run.page - (runs[i - 1]?.page ?? 0)),
      length: runs.map((run) => run.length),
      freedAt: runs.map((run) => (isExact ? run.freedAt : -1)),
      freedBy: runs.map((run) => (isExact ? who.births.threadOf(run.freedAt) : -1)),
      ...blockNames(
        runs.map((run) => run.event),
        who,
      ),
    };
  }
  return null;
}

function runsOf(
  { page, bytes }: ResidentPages,
  { allocated, freed }: LastRows,
  keyOf: (allocatedAt: number, freedAt: number) => string,
): FreedRun[] {
  const classes = FREE.map((name) => bytes[CLASSES.findIndex(({ key }) => key === name)]!);
  const runs: FreedRun[] = [];
  let key = '';
  for (const [i, number] of page.entries()) {
    const [event, freedAt] = [allocated[number]! - 1, freed[number]! - 1];
    if (event < 0 || classes.every((of) => of[i] === 0)) continue;
    const own = keyOf(event, freedAt);
    const before = runs.at(-1);
    if (before && own === key && before.page + before.length === number) before.length++;
    else runs.push({ page: number, length: 1, event, freedAt });
    key = own;
  }
  return runs;
}
