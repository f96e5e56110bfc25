import { csvText } from '../../sim/contract/escape.ts';

type Field = string | number | boolean | null | undefined;
/** Figures by name; those of a group within have its name before theirs. */
export interface Figures {
  readonly [name: string]: Field | Figures | readonly Field[];
}

/** One of the tables of an answer that has several. */
export interface NamedTable {
  readonly name: string;
  readonly rows: readonly (readonly [row: string | number, figures: object])[];
}

/** Several tables in one that is long: a line a figure, as what reads tables wants them that differ in their columns. */
export function tablesCsv(tables: readonly NamedTable[]): string {
  const lines = tables.flatMap(({ name, rows }) =>
    rows.flatMap(([row, figures]) =>
      fieldsOf(figures as Figures).map(([figure, value]) => [name, row, figure, value ?? null]),
    ),
  );
  return csvText(['table', 'row', 'figure', 'value'], lines);
}

function fieldsOf(figures: Figures, group = ''): (readonly [string, Exclude<Field, undefined>])[] {
  return Object.entries(figures).flatMap(([name, value]) => {
    if (value === null || typeof value !== 'object') return [[group + name, value ?? null] as const];
    if (Array.isArray(value)) return [[group + name, value.map((each) => `${each ?? ''}`).join(' ')] as const];
    return fieldsOf(value as Figures, `${group}${name}.`);
  });
}
