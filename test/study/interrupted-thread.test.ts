import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runInThread, startThread } from '../../bench/study/parallel/thread.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

test('no other thread takes the place of one that a signal ended', async () => {
  let started = 0;
  const count = () => void started++;
  process.on('worker', count);
  const file = join(temporaryFolder(), 'never.mjs');
  writeFileSync(file, 'export default () => new Promise(() => {});\n');
  const thread = startThread<number, number>(file);
  const interruption = new AbortController();
  const run = runInThread(thread, 1, interruption.signal);
  interruption.abort();
  await expect(run).rejects.toMatchObject({ name: 'AbortError' });
  expect(thread.threads).toEqual([]);
  await setImmediate(); // the process is told a turn later
  process.off('worker', count);
  expect(started).toBe(1);
});
