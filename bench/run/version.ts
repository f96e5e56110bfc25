import { readFileSync } from 'node:fs';

/** From package.json, found from the built file (dist/bench) as well as from the source (bench). */
export const VERSION: string = JSON.parse(
  readFileSync(
    new URL(import.meta.url.includes('/dist/') ? '../../../package.json' : '../../package.json', import.meta.url),
    'utf8',
  ),
).version;
