import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Scenario files that come with the program. */
const FOLDER = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../fleet/scenarios' : '../scenarios', import.meta.url),
);
const ENDING = '.yaml';

export interface BuiltIn {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

export function builtInScenario(name: string): BuiltIn | undefined {
  const path = join(FOLDER, `${name}${ENDING}`);
  return /^[\w-]+$/.test(name) && existsSync(path) ? { name, path, text: readFileSync(path, 'utf8') } : undefined;
}

/** All of them, with what each says of itself. */
export function builtInScenarios(): { readonly name: string; readonly about: string }[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(ENDING))
    .sort()
    .map((file) => ({
      name: file.slice(0, -ENDING.length),
      about: /^about: *(.*)$/m.exec(readFileSync(join(FOLDER, file), 'utf8'))?.[1] ?? '',
    }));
}
