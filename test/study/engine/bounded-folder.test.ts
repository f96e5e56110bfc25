import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openBoundedFolder } from '../../../bench/study/parallel/bounded-folder.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

test('what was not used for longest goes first, and the newest always stays', () => {
  const folder = openBoundedFolder(join(temporaryFolder(), 'a/b'), 1000);
  const at = (name: string, seconds: number) => utimesSync(join(folder.path, name), seconds, seconds);
  for (const [i, name] of ['x', 'y', 'z'].entries()) {
    folder.write(name, new Uint8Array(300));
    at(name, 1000 + i);
  }
  expect(folder.read('x')!.length).toBe(300); // a use: y is the oldest now
  folder.write('w', new Uint8Array(300));
  expect(readdirSync(folder.path).sort()).toEqual(['w', 'x', 'z']);
  folder.write('large', new Uint8Array(5000));
  expect(readdirSync(folder.path)).toEqual(['large']);
  expect(folder.read('x')).toBeUndefined();
  expect(folder.find('large')).toBe(join(folder.path, 'large'));
});

test('what a killed process left goes, what another one writes now stays', () => {
  const folder = openBoundedFolder(temporaryFolder(), 100);
  for (const name of ['.old.tmp', '.new.tmp']) writeFileSync(join(folder.path, name), 'x');
  utimesSync(join(folder.path, '.old.tmp'), 1000, 1000);
  folder.write('a', new Uint8Array(10));
  expect(readdirSync(folder.path).sort()).toEqual(['.new.tmp', 'a']);
});
