import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder: string | undefined;

/** A file of this process with these bytes, for what reads files; in memory where the machine has such a file system. */
export function scratchFile(name: string, bytes: Uint8Array): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'allocsim-fuzz-'));
    process.on('exit', () => rmSync(folder!, { recursive: true, force: true }));
  }
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
