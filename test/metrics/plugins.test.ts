import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { METRICS, metricNamed } from '../../bench/metrics/index.ts';
import { loadPlugin, registerPlugin } from '../../bench/metrics/plugins.ts';
import { UserError } from '../../sim/contract/assert.ts';
import { createRegistry } from '../../sim/contract/registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'allocsim-plugins-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('a name is there once; the same object may be added again', () => {
  const registry = createRegistry('thing', [{ name: 'a' }]);
  const b = { name: 'b' };
  registry.add(b);
  registry.add(b);
  expect(registry.all.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(() => registry.add({ name: 'a' })).toThrow(new UserError("thing 'a' is there already, expected another name"));
});

test('what a file exports is known by its name from then on', async () => {
  const text = `export default { metrics: [{ name: 'liveBlocksNow', unit: 'count', better: 'lower', about: 'x',
    deterministic: true, of: (r) => r.summary.liveBlocks }] };`;
  await loadPlugin(fileOf('good.mjs', text));
  await loadPlugin(join(folder, 'good.mjs')); // a second time changes nothing
  expect(METRICS.filter(({ name }) => name === 'liveBlocksNow')).toHaveLength(1);
  expect(metricNamed('liveBlocksNow').unit).toBe('count');
});

test.each([
  ['nothing.mjs', 'export const x = 1;', /found no default export/],
  [
    'unknown.mjs',
    'export default { gadgets: [] };',
    /found 'gadgets', expected a default export with one of allocators/,
  ],
  ['nameless.mjs', 'export default { metrics: [{}] };', /found metrics that are no list of named objects/],
  ['broken.mjs', 'export default {', /expected a module that can be loaded/],
])('%s is refused in one line', async (name, text, message) => {
  const error = await loadPlugin(fileOf(name, text)).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain('\n');
});

test('a built-in name cannot be taken', () => {
  const [taken] = METRICS;
  expect(() => registerPlugin({ metrics: [{ ...taken! }] })).toThrow(UserError);
});
