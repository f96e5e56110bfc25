import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, relative, sep } from 'node:path/posix';
import { defineConfig, type Plugin } from 'rolldown';

/*
 * The product as it is started: its modules in few files, since reading 190 of them took a short command an eighth of its time. A file that is
 * started or imported by its name lies where its source does; what several of them need is in chunks/. All of them, the library too,
 * have the very same modules, so that what a plugin registers is found.
 */

const ROOT = import.meta.dirname;

/** Commands, the library, and whatever a thread or another process starts from. */
const ENTRIES = [
  'bench/cli',
  'bench/index',
  'bench/commands/write-manual',
  'bench/benchmark/mode-worker',
  'bench/benchmark/model-worker',
  'bench/run/modes/thread-worker',
  'bench/run/text/text-worker',
  'bench/study/engine/execute-job',
  'bench/study/parallel/hash-worker',
  'bench/study/parallel/worker',
  'fleet/engine/worker',
  'bench/evidence/cluster',
  'bench/evidence/differential',
  'bench/evidence/pool/pool',
  'bench/evidence/times/times',
  'bench/evidence/verify-process',
];

/** Packages that nearly every command needs: with what they need themselves they were half of the files that a short one read. All others stay outside. */
const INSIDE: readonly string[] = ['picocolors', 'seedrandom', 'yargs'];

const isOutside = (id: string, importer?: string): boolean =>
  !id.startsWith('.') &&
  !id.startsWith('/') &&
  (isBuiltin(id) || !(INSIDE.includes(id) || importer?.includes('/node_modules/')));

/**
 * What so many files need, each of them alone or with others, is one file: finding and opening a file takes half a millisecond. What such a module imports is
 * there too, since whoever needs the one needs the other, so that no order of evaluation changes.
 */
const COMMON = 24;
const isOurs = (id: string): boolean => id.startsWith(ROOT + sep) && !id.includes('/node_modules/');

const PLACE = '__place_of_module__';

/** A module that asks where it lies is told where its source does, below dist/, whatever file it has got into. */
const places: Plugin = {
  name: 'places',
  transform(code, id) {
    if (!id.startsWith(ROOT + sep) || id.includes('/node_modules/') || !code.includes('import.meta.url')) return null;
    const path = relative(ROOT, id).replace(/\.ts$/, '.js');
    return { code: code.replaceAll('import.meta.url', `${PLACE}(${JSON.stringify(path)})`), map: null };
  },
  renderChunk(code, { fileName }) {
    const from = dirname(fileName);
    return code.replace(new RegExp(`${PLACE}\\("([^"]+)"\\)`, 'g'), (_, path: string) => {
      return `new URL(${JSON.stringify(relative(from, path))}, import.meta.url).href`;
    });
  },
};

/** The licences of the packages inside, which ask to go along. */
const notices: Plugin = {
  name: 'notices',
  generateBundle(_, files) {
    const packages = new Set<string>();
    for (const file of Object.values(files)) {
      for (const id of file.type === 'chunk' ? file.moduleIds : []) {
        const folder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0];
        if (folder) packages.add(folder);
      }
    }
    if (packages.size === 0) return;
    this.emitFile({ type: 'asset', fileName: 'THIRD-PARTY.txt', source: [...packages].sort().map(notice).join('\n') });
  },
};

function notice(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Record<
    string,
    string
  >;
  const entries = readdirSync(folder);
  const file = entries.find((entry) => /^licen[cs]e/i.test(entry));
  // Some have it at the end of their read-me.
  const from = file ?? entries.find((entry) => /^readme/i.test(entry))!;
  const whole = readFileSync(`${folder}/${from}`, 'utf8');
  const text = file ? whole : whole.slice(whole.search(/^#*\s*licen[cs]e\b/im));
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

/** What is left of an earlier build is another build's. */
const fresh = (folder: string): Plugin => ({
  name: 'fresh',
  buildStart: () => rmSync(`${ROOT}/dist/${folder}`, { recursive: true, force: true }),
});

/** Files below dist/ of `entries`, paths without ending, and what they share in `folder`. */
export const bundle = (entries: readonly string[], folder: string) =>
  defineConfig({
    input: Object.fromEntries(entries.map((entry) => [entry, `${ROOT}/${entry}.ts`])),
    platform: 'node',
    external: isOutside,
    plugins: [fresh(folder), places, notices],
    // A module may be imported at once by one command and when it is needed by another.
    checks: { ineffectiveDynamicImport: false },
    output: {
      dir: `${ROOT}/dist`,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: `${folder}/[name].js`,
      codeSplitting: { groups: [{ name: 'common', test: isOurs, minShareCount: COMMON }] },
    },
  });

export default bundle(ENTRIES, 'chunks');
