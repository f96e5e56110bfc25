import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

/*
 * The product's modules, each compiled into a file of its own, for tests to import as Node imports modules: those that vitest runs itself reach
 * every import through a property, which makes loops over models three times as slow.
 */

const ROOT = join(import.meta.dirname, '..');
export const SOURCES = ['sim', 'machine', 'allocators', 'fleet', 'workloads', 'bench'];
const FOLDER = join(ROOT, '.compiled');
/** What nobody has begun with for so long nobody runs any more. */
const OLD_MS = 3600e3;

/** Programs of their own, in other dialects. */
const isOther = (path: string) => path.startsWith('bench/report/client/') || path.endsWith('/assembly.ts');

const modules = () =>
  SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((path) => join(folder, path))
      .filter((path) => path.endsWith('.ts') && !isOther(path)),
  ).sort();

/** What is compiled from these very sources. */
function placeOf(paths: readonly string[]): string {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename));
  for (const path of paths) hash.update(`\0${path}\0`).update(readFileSync(join(ROOT, path)));
  return join(FOLDER, hash.digest('hex').slice(0, 16));
}

/** @returns the folder. Whole or not there: others may run tests of the same checkout. */
export async function compile(): Promise<string> {
  const paths = modules();
  const place = placeOf(paths);
  if (!existsSync(place)) {
    const own = `${place}.${process.pid}`;
    await write(paths, own);
    try {
      renameSync(own, place);
    } catch (error) {
      if (!existsSync(place)) throw error;
      rmSync(own, { recursive: true }); // somebody else was sooner
    }
  }
  utimesSync(place, new Date(), new Date());
  for (const name of readdirSync(FOLDER)) {
    const path = join(FOLDER, name);
    const { mtimeMs = Infinity } = statSync(path, { throwIfNoEntry: false }) ?? {};
    if (mtimeMs < Date.now() - OLD_MS) rmSync(path, { recursive: true, force: true });
  }
  return place;
}

async function write(paths: readonly string[], dir: string): Promise<void> {
  const build = await rolldown({
    cwd: ROOT,
    input: Object.fromEntries(paths.map((path) => [path.slice(0, -'.ts'.length), join(ROOT, path)])),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
    plugins: [
      {
        name: 'places',
        // A module that asks where it lies is told where its source does.
        transform: (code, id) =>
          code.includes('import.meta.url')
            ? { code: code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)), map: null }
            : null,
      },
    ],
    treeshake: false,
    checks: { ineffectiveDynamicImport: false },
  });
  await build.write({
    dir,
    format: 'esm',
    preserveModules: true,
    preserveModulesRoot: ROOT,
    entryFileNames: '[name].js',
    sourcemap: true,
  });
  await build.close();
}
