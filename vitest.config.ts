import { defineConfig } from 'vitest/config';

export default defineConfig({
  // A worker a processor: most tests wait for processes that they start.
  // Tests create models without waiting for their code.
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['allocators/all.ts'],
    pool: 'forks',
    maxWorkers: '100%',
    testTimeout: 60_000,
  },
});
