import { defineConfig } from 'vitest/config';

export default defineConfig({
  // A worker a processor: most tests wait for processes that they start.
  test: { include: ['test/**/*.test.ts'], pool: 'forks', maxWorkers: '100%', testTimeout: 60_000 },
});
