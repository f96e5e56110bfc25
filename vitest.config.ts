import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { defineConfig, type Plugin } from 'vitest/config';
import { compile, SOURCES } from './test/compile.ts';

/**
 * What a test of processes, threads or plugins has in its text or path. Each gets a process of its own: registries, descriptors and memory are
 * those of a process. All others share a process for each worker, which spares starting one and compiling the models again.
 */
const NEEDS_PROCESS =
  /child_process|worker_threads|piscina|helpers\/(chromium|cli|command|interrupt|object-server|recorded|redis|require|zend-run)|evidence\/|zst|run-all|lanes|createRunner|InParallel|loadPlugin|fuzz/;

const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name}`);
const needsProcess = (file: string) => NEEDS_PROCESS.test(`${file}\n${readFileSync(file, 'utf8')}`);

const ROOT = import.meta.dirname;
const isProduct = (path: string) => SOURCES.includes(path.split(sep, 1)[0]!);

/** What tests import of the product is what test/compile.ts made of it, in `folder`; a test that puts something in a module's place has vitest's own. */
const compiled = (folder: string): Plugin => ({
  name: 'compiled',
  enforce: 'pre',
  resolveId(source, importer) {
    if (!importer || !source.startsWith('.') || !source.endsWith('.ts')) return null;
    if (!relative(ROOT, importer).startsWith(`test${sep}`)) return null;
    if (readFileSync(importer, 'utf8').includes('vi.mock(')) return null;
    const path = relative(ROOT, resolve(dirname(importer), source));
    return isProduct(path) ? { id: join(folder, path.replace(/\.ts$/, '.js')), external: true } : null;
  },
});

/** While somebody changes files, vitest follows them itself. */
const isOnce = process.argv.includes('run');

export default defineConfig({
  plugins: isOnce ? [compiled(await compile())] : [],
  // A worker a processor: most tests wait for processes that they start.
  test: {
    pool: 'forks',
    maxWorkers: '100%',
    projects: [
      { extends: true, test: { name: 'pure', isolate: false, include: files.filter((file) => !needsProcess(file)) } },
      { extends: true, test: { name: 'processes', include: files.filter(needsProcess) } },
    ],
    setupFiles: ['test/setup.ts'],
    server: { deps: { external: [/\/\.compiled\//] } },
    testTimeout: 60_000,
  },
});
