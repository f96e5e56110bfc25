import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { explain } from '../../bench/explain/explain.ts';
import { explanationSchema } from '../../bench/schema/explanation.ts';
import { PUBLISHED, publishedText } from '../../bench/schema/published.ts';
import { parseResult, runResultSchema } from '../../bench/schema/result.ts';
import { runLockstep } from '../../bench/session.ts';
import { bumpOptions } from '../helpers/bump-run.ts';

const folder = new URL('../../schema/', import.meta.url);
const LINES = ['m 0 1 100000', 'm 1 2 50', '= middle', 'f 0 1', 'm 0 3 7'];

describe('published schemas', () => {
  // ALLOCSIM_UPDATE=1 writes the files anew after a deliberate change.
  test.each(Object.keys(PUBLISHED))('schema/%s.json is what the code says', (name) => {
    const file = new URL(`${name}.json`, folder);
    if (process.env['ALLOCSIM_UPDATE']) writeFileSync(file, publishedText(name));
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe(publishedText(name));
  });

  test('nothing else lies in schema/', () => {
    expect(readdirSync(folder).sort()).toEqual(
      Object.keys(PUBLISHED)
        .map((n) => `${n}.json`)
        .sort(),
    );
  });

  test('a result passes its schema and loses nothing', async () => {
    const result = JSON.parse(JSON.stringify(await runLockstep(bumpOptions(LINES))));
    expect(runResultSchema.parse(result)).toEqual(result);
  });

  test('an explanation passes its schema and loses nothing', () => {
    const e = JSON.parse(JSON.stringify(explain(bumpOptions(LINES))));
    expect(explanationSchema.parse(e)).toEqual(e);
  });

  test('a departure is told with its place', async () => {
    const result = JSON.parse(JSON.stringify(await runLockstep(bumpOptions(LINES))));
    result.summary.rssBytes = 'many';
    expect(() => parseResult(result, 'head.json')).toThrow(/^head\.json: at summary\.rssBytes: /);
  });
});
