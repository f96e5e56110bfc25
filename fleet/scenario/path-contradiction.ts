import { machinePath } from '../machine/machine-path.ts';
import type { ScenarioFile } from './schema.ts';

/** A file of the scenario that another one has as a folder. */
export function pathContradiction({
  pools,
  services,
}: ScenarioFile): { readonly path: readonly PropertyKey[]; readonly text: string } | undefined {
  const files = [
    ...pools.flatMap((pool, i) => pool.files.map(({ path }, j) => ({ path, at: ['pools', i, 'files', j, 'path'] }))),
    ...services.flatMap(({ reads, writes }, i) => [
      ...reads.map(({ path }, j) => ({ path, at: ['services', i, 'reads', j, 'path'] })),
      ...writes.map(({ path }, j) => ({ path, at: ['services', i, 'writes', j, 'path'] })),
    ]),
  ];
  for (const { path, at } of files) {
    const inside = files.find((other) => machinePath(other.path).startsWith(`${machinePath(path)}/`));
    if (inside)
      return {
        path: at,
        text: `${at.join('.')}: found '${path}', which is a folder of '${inside.path}'; expected a file`,
      };
  }
  return undefined;
}
