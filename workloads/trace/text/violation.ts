/** One broken rule, at a place of the text. */
export interface Violation {
  readonly line: number;
  /** In bytes, from 1. */
  readonly column: number;
  readonly rule: Rule;
  readonly found: string;
  readonly expected: string;
}

export type Rule =
  | 'header-missing'
  | 'header-version'
  | 'header-late'
  | 'header-unknown'
  | 'header-value'
  | 'event-unknown'
  | 'field-missing'
  | 'field-extra'
  | 'number-malformed'
  | 'number-range'
  | 'block-size'
  | 'object-dead'
  | 'object-live'
  | 'object-family'
  | 'alignment'
  | 'mallopt-name'
  | 'mallctl-name'
  | 'mallctl-value'
  | 'clock-range'
  | 'site-unknown'
  | 'observation-place'
  | 'line-length'
  | 'text-encoding'
  | 'cut-off';

export function violationMessage(source: string, { line, column, found, expected }: Violation): string {
  return `${source}:${line}:${column}: found ${found}, expected ${expected}`;
}
