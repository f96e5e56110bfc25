import type { z } from 'zod';
import { nearest } from '../../sim/contract/suggestion.ts';
import { scenarioSchema } from './schema.ts';

type Issue = z.core.$ZodIssue;

/** Where an unknown word is the fault, the word itself. */
export function pathOfIssue(issue: Issue): PropertyKey[] {
  return issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
}

/** What is wrong with a file, in the words that every mistake has: what was found, and what was expected. */
export function issueText(issue: Issue): string {
  const at = issue.path.map(String).join('.');
  return `${at === '' ? '' : `${at}: `}${wordsOf(issue)}`;
}

function wordsOf(issue: Issue): string {
  const found = foundText(issue.input);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const word = issue.keys[0]!;
      const known = wordsAt(issue.path);
      const near = nearest(word, known);
      return `found '${word}', expected ${near ? `'${near}'` : `one of ${known.join(', ')}`}`;
    }
    case 'invalid_type':
    case 'invalid_value':
      return `found ${found}, expected ${oneOf(expectedBy(issue))}`;
    case 'invalid_union':
      return `found ${found}, expected ${issue.message === UNION ? oneOf(expectedBy(issue)) : issue.message}`;
    case 'too_big':
      return outOfBounds(issue.input, found, issue.exact ? '' : 'at most ', Number(issue.maximum));
    case 'too_small':
      return outOfBounds(issue.input, found, issue.exact ? '' : 'at least ', Number(issue.minimum));
    case 'not_multiple_of':
      return `found ${found}, expected a multiple of ${issue.divisor}`;
    case 'invalid_key':
    case 'invalid_element':
      return wordsOf(issue.issues[0]!);
    default: // the schema's own words for what it expected: of a form, of a quantity
      return `found ${found}, expected ${issue.message}`;
  }
}

/** What the library says of a union for which the schema has no words. */
const UNION = 'Invalid input';

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

/** The words that the schema knows at a path. */
function wordsAt(path: readonly PropertyKey[]): string[] {
  let at: unknown = scenarioSchema;
  for (const step of path) {
    at = bare(at);
    const shape = (at as { shape?: Record<string, unknown> }).shape;
    at = typeof step === 'number' ? (at as { element?: unknown }).element : shape?.[String(step)];
    if (at === undefined) return [];
  }
  return Object.keys((bare(at) as { shape?: Record<string, unknown> }).shape ?? {});
}

/** Without what makes it optional or gives it a default. */
function bare(schema: unknown): unknown {
  let at = schema as { unwrap?: () => unknown; shape?: unknown; element?: unknown };
  while (at.shape === undefined && at.element === undefined && at.unwrap) at = at.unwrap() as typeof at;
  return at;
}
