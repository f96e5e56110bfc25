import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/** As Linux allows them in one path. */
const LINKS_MAX = 40;

/** Where an output goes. */
export interface OutputTarget {
  /** The file itself: links are followed, also one that leads to a file that is not there yet. */
  readonly path: string;
  /** Written as it is, for there is nothing that could be replaced: a pipe, a device. */
  readonly inPlace: boolean;
  /** Of the file that is there already. */
  readonly mode: number | undefined;
}

/** Throws what the system says: EISDIR, ELOOP, ENOTDIR, EACCES. */
export function outputTarget(given: string): OutputTarget {
  let path = resolve(given);
  for (let links = 0; ; links++) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (!stats?.isSymbolicLink()) return targetAt(path, stats);
    if (links === LINKS_MAX) throw Object.assign(new Error('too many links'), { code: 'ELOOP', syscall: 'open' });
    // The kernel's links (/dev/stdout, /proc/self/fd/1) may name what has no path: only a stat follows them.
    const behind = statSync(path, { throwIfNoEntry: false });
    if (behind && !behind.isFile()) return targetAt(path, behind);
    path = resolve(dirname(path), readlinkSync(path));
  }
}

function targetAt(path: string, stats: Stats | undefined): OutputTarget {
  if (stats?.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR', syscall: 'open' });
  return { path, inPlace: stats !== undefined && !stats.isFile(), mode: stats && stats.mode & 0o7777 };
}

/** One text for all names of one file; undefined for what is no regular file, and may be named twice. */
export function fileIdentity(given: string): string | undefined {
  try {
    const { path, inPlace } = outputTarget(given);
    return inPlace ? undefined : resolve(realpathSync(dirname(path)), basename(path));
  } catch {
    return undefined; // what is wrong with it, the writer says
  }
}
