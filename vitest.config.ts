import { readdirSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/**
 * What a test of processes, threads or plugins has in its text or path. Each gets a process of its own: registries, descriptors and memory are
 * those of a process. All others share a process for each worker, which spares starting one and compiling the models again.
 */
const NEEDS_PROCESS =
  /child_process|worker_threads|piscina|helpers\/(chromium|cli|interrupt|object-server|recorded|redis|zend-run)|run-all|lanes|createRunner|InParallel|loadPlugin|fuzz/;

const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/${name}`);
const needsProcess = (file: string) => NEEDS_PROCESS.test(`${file}\n${readFileSync(file, 'utf8')}`);

export default defineConfig({
  // A worker a processor: most tests wait for processes that they start.
  // Tests create models without waiting for their code.
  test: {
    pool: 'forks',
    maxWorkers: '100%',
    projects: [
      { extends: true, test: { name: 'pure', isolate: false, include: files.filter((file) => !needsProcess(file)) } },
      { extends: true, test: { name: 'processes', include: files.filter(needsProcess) } },
    ],
    setupFiles: ['allocators/all.ts'],
    testTimeout: 60_000,
  },
});
