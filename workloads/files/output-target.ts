import { lstatSync, readFileSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
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
  /** Where the path names an open descriptor of this process (/dev/stdout, /dev/fd/3): whatever is behind it is written through it. */
  readonly descriptor?: number;
}

/** What open(2) would say. */
const refusalOf = (code: string): Error => Object.assign(new Error(code), { code, syscall: 'open' });

/** Throws what the system says: EISDIR, ELOOP, ENOTDIR, EACCES, ENXIO. */
export function outputTarget(given: string): OutputTarget {
  let path = resolve(given);
  for (let links = 0; ; links++) {
    const descriptor = descriptorAt(path);
    if (descriptor !== undefined) return { path, inPlace: true, mode: undefined, descriptor };
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (!stats?.isSymbolicLink()) return targetAt(path, stats);
    if (links === LINKS_MAX) throw refusalOf('ELOOP');
    // The kernel's links (those of other processes' descriptors) may name what has no path: only a stat follows them.
    const next = resolve(dirname(path), readlinkSync(path));
    const behind = descriptorAt(next) === undefined ? statSync(path, { throwIfNoEntry: false }) : undefined;
    if (behind && !behind.isFile()) return targetAt(path, behind);
    path = next;
  }
}

/** Standard input, output and error. */
const STANDARD_MAX = 2;

/**
 * The number of a descriptor that this process was given. A file behind it has its own place to go on from, perhaps its end (`>> log`): a new
 * file in its stead, or one opened anew, would lose what is there. Pipes are opened anew like any; a socket cannot be.
 */
function descriptorAt(path: string): number | undefined {
  const [, folder, number] = /^(.*\/fd)\/(\d+)$/.exec(path) ?? [];
  const behind = folder === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
  if (!behind || realpathSync(folder!) !== `/proc/${process.pid}/fd`) return undefined;
  return behind.isFile() || Number(number) <= STANDARD_MAX ? Number(number) : undefined;
}

function targetAt(path: string, stats: Stats | undefined): OutputTarget {
  if (stats?.isDirectory()) throw refusalOf('EISDIR');
  if (stats?.isSocket()) throw refusalOf('ENXIO');
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

/** As a container's single file may be: another file cannot take its place. */
export function isMountPoint(path: string): boolean {
  const place = realpathSync(path).replace(/[\\ \t\n]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${place} `);
  } catch {
    return false; // not Linux
  }
}
