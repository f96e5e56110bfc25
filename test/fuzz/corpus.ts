import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The same folder for the sources and for what is compiled from them into dist/. */
const FOLDER = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../test/fuzz/corpus/' : './corpus/', import.meta.url),
);

/** The areas that have files: of the right kind, and those that have failed once. */
export const CORPORA: readonly string[] = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

/** The files of one area, in the order of their names. */
export function corpusOf(area: string): Uint8Array[] {
  return readdirSync(FOLDER + area)
    .sort()
    .map((name) => readFileSync(`${FOLDER}${area}/${name}`));
}
