import type { z } from 'zod';
import { nearest } from './suggestion.ts';

type Issue = z.core.$ZodIssue;

/** Where an unknown word is the fault, the word itself. */
export function pathOfIssue(issue: Issue): PropertyKey[] {
  return issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
}

/** What is wrong with a file, in the words that every mistake has: what was found, and what was expected by `schema`. */
export function issueText(issue: Issue, schema: z.ZodType): string {
  const at = issue.path.map(String).join('.');
  return `${at === '' ? '' : `${at}: `}${wordsOf(issue, schema)}`;
}

function wordsOf(issue: Issue, schema: z.ZodType): string {
  const found = foundText(issue.input);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const word = issue.keys[0]!;
      const known = wordsAt(schema, issue.path);
      const near = nearest(word, known);
      return `found '${word}', expected ${near ? `'${near}'` : `one of ${known.join(', ')}`}`;
    }
    case 'invalid_type':
    case 'invalid_value':
      return `found ${found}, expected ${oneOf(expectedBy(issue))}`;
    case 'invalid_union':
      return `found ${found}, expected ${issue.message === UNION ? oneOf(expectedBy(issue)) : issue.message}`;
    case 'too_big':
      return outOfBounds(issue.input, found, borderText(issue, 'at most ', 'less than '), Number(issue.maximum));
    case 'too_small':
      return outOfBounds(issue.input, found, borderText(issue, 'at least ', 'more than '), Number(issue.minimum));
    case 'not_multiple_of':
      return `found ${found}, expected a multiple of ${issue.divisor}`;
    case 'invalid_key':
    case 'invalid_element':
      return wordsOf(issue.issues[0]!, schema);
    default: // the schema's own words for what it expected: of a form, of a quantity
      return `found ${found}, expected ${issue.message}`;
  }
}

/** What the library says of a union for which the schema has no words. */
const UNION = 'Invalid input';

type Bounds = z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall;

/** Whether the limit itself is within. */
function borderText({ exact, inclusive }: Bounds, within: string, beyond: string): string {
  return exact ? '' : inclusive === false ? beyond : within;
}

function outOfBounds(input: unknown, found: string, border: string, limit: number): string {
  if (typeof input === 'string') return `found ${found}, expected ${border}${limit} character${limit === 1 ? '' : 's'}`;
  if (Array.isArray(input)) return `found a list of ${input.length}, expected ${border}${limit}`;
  return `found ${found}, expected ${border}${limit}`;
}

/** What could have stood there. */
function expectedBy(issue: Issue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code === 'invalid_type') return [TYPES[issue.expected] ?? `a ${issue.expected}`];
  if (issue.code === 'invalid_union')
    return issue.errors.flatMap((option) => option.flatMap((one) => expectedBy(one as Issue)));
  return [];
}

const TYPES: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  object: 'words with their values',
  record: 'words with their values',
};

function oneOf(words: readonly string[]): string {
  if (words.length === 1) return words[0]!;
  return words.length === 2 ? words.join(' or ') : `one of ${words.join(', ')}`;
}

const SHOWN_MAX = 60;

/** What stands in the file, as it is written there. */
export function foundText(input: unknown): string {
  if (input === undefined || input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'words with values of their own';
  if (typeof input === 'string') return `'${input.length > SHOWN_MAX ? `${input.slice(0, SHOWN_MAX)}…` : input}'`;
  if (typeof input === 'number' && !Number.isFinite(input))
    return Number.isNaN(input) ? '.nan' : input > 0 ? '.inf' : '-.inf';
  return String(input);
}

/** What is known here of a schema's parts, whatever kind it is of. */
interface SchemaPart {
  readonly unwrap?: () => unknown;
  /** Of an object. */
  readonly shape?: Readonly<Record<string, unknown>>;
  /** Of a list. */
  readonly element?: unknown;
  /** Of a record. */
  readonly keyType?: { readonly options?: readonly unknown[] };
  readonly valueType?: unknown;
}

/** The words that the schema knows at a path. */
function wordsAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: SchemaPart | undefined = bare(schema);
  for (const step of path) {
    at = bare(typeof step === 'number' ? at?.element : (at?.shape?.[String(step)] ?? at?.valueType));
    if (at === undefined) return [];
  }
  return at?.shape ? Object.keys(at.shape) : (at?.keyType?.options ?? []).map(String);
}

/** Without what makes it optional or gives it a default. */
function bare(schema: unknown): SchemaPart | undefined {
  let at = schema as SchemaPart | undefined;
  while (at && !at.shape && !at.element && !at.keyType && at.unwrap) at = at.unwrap() as SchemaPart;
  return at;
}
