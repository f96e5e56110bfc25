import { readFileSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';

/** A script of the page: compiled by the build, and found from the built file as well as from the source. */
export function clientScript(name: string): string {
  const folder = import.meta.url.includes('/dist/') ? './client/' : '../../dist/bench/report/client/';
  try {
    return readFileSync(new URL(`${folder}${name}.js`, import.meta.url), 'utf8');
  } catch {
    throw new UserError(`the report's scripts are not built: ${name}.js is missing; run npm run build`);
  }
}

/** As it can stand in a page. */
export const inScript = (text: string): string =>
  text.replace(/<\/script/gi, '<\\/script').replace(/^\/\/# sourceMapping.*$/gm, '');
