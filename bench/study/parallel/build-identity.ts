import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pluginFiles } from '../../run/plugin-files.ts';
import { VERSION } from '../../run/version.ts';

/** The folders whose code decides what a run computes; built, all that commands and threads share is in one. */
const FOLDERS = [
  'chunks',
  'sim',
  'machine',
  'allocators',
  'workloads',
  'fleet',
  'bench/run',
  'bench/metrics',
  'bench/report',
  'bench/study',
];
const DIGITS = 12;

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
let own: string | undefined;

/**
 * Names this build of the product: its version, and a digest of its code and of the files of its plugins. What two builds of
 * one name compute is the same.
 */
export function buildIdentity(): string {
  own ??= digestOf(
    FOLDERS.map((folder) => join(ROOT, folder))
      .filter((folder) => existsSync(folder))
      .flatMap(codeBelow)
      .map((path) => [path.slice(ROOT.length), path]),
  );
  const plugins = pluginFiles();
  const digest =
    plugins.length === 0
      ? own
      : digestOf(
          plugins.map((path) => ['plugin', path]),
          own,
        );
  return `${VERSION}-${digest.slice(0, DIGITS)}`;
}

function codeBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(js|ts)$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Of files by their names and contents. */
function digestOf(files: readonly (readonly [name: string, path: string])[], before = ''): string {
  const hash = createHash('sha256').update(before);
  for (const [name, path] of files) {
    hash.update(`${name}\0`).update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}
