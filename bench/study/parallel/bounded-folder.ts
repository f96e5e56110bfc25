import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Bytes } from '../../../sim/contract/units.ts';
import { writeBinary } from '../../../workloads/files/line-sink.ts';

/** `$XDG_CACHE_HOME/allocsim/NAME`, else `~/.cache/allocsim/NAME`. */
export function cacheFolder(name: string): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'allocsim', name);
}

/** A folder of files of which those that were not used for longest go when there are too many bytes. Several processes may share one. */
export interface BoundedFolder {
  readonly path: string;
  /** Where a file is, if it is there; counts as a use. */
  find(name: string): string | undefined;
  read(name: string): Buffer | undefined;
  write(name: string, bytes: Uint8Array): void;
  /** Takes in a file that lies in the folder under another name. */
  adopt(temporary: string, name: string): void;
  remove(name: string): void;
}

/** After it there is room for more: not every file that comes makes another one go. */
const KEPT_SHARE = 0.9;
/** What is hidden and so old was left by a process that was killed. */
const LEFT_BEHIND_MS = 3600_000;

/** Makes the folder; throws what the system says. */
export function openBoundedFolder(path: string, sizeBytes: Bytes): BoundedFolder {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  let held: Bytes | undefined;

  /** The newest file always stays, also where it alone is more. */
  function evict(): void {
    const files = filesIn(path).sort((x, y) => y.usedMs - x.usedMs);
    held = files.reduce((sum, file) => sum + file.bytes, 0);
    if (held <= sizeBytes) return;
    for (const file of files.slice(1).reverse()) {
      if (held <= sizeBytes * KEPT_SHARE) return;
      rmSync(join(path, file.name), { force: true });
      held -= file.bytes;
    }
  }

  function added(bytes: Bytes): void {
    if (held !== undefined) held += bytes;
    if (held === undefined || held > sizeBytes) evict();
  }

  function find(name: string): string | undefined {
    const file = join(path, name);
    const now = new Date();
    try {
      utimesSync(file, now, now);
      return file;
    } catch {
      return undefined;
    }
  }

  return {
    path,
    find,
    read(name) {
      const file = find(name);
      try {
        return file === undefined ? undefined : readFileSync(file);
      } catch {
        return undefined; // another process took it in the meantime
      }
    },
    write(name, bytes) {
      writeBinary(join(path, name), bytes);
      added(bytes.length);
    },
    adopt(temporary, name) {
      renameSync(temporary, join(path, name));
      added(statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0);
    },
    remove: (name) => rmSync(join(path, name), { force: true }),
  };
}

function filesIn(path: string): { name: string; bytes: Bytes; usedMs: number }[] {
  return readdirSync(path).flatMap((name) => {
    const stats = statSync(join(path, name), { throwIfNoEntry: false });
    if (!stats?.isFile()) return [];
    if (!name.startsWith('.')) return [{ name, bytes: stats.size, usedMs: stats.mtimeMs }];
    if (Date.now() - stats.mtimeMs > LEFT_BEHIND_MS) rmSync(join(path, name), { force: true });
    return [];
  });
}
