import { jsonText } from './escape.ts';

/** Lists of so many entries are written entry by entry. */
const LONG = 100;
const DEEPEST = 6;

/** `jsonText(value, indent)` in pieces, so that what has many samples need not stand in one string, which Node limits, beside itself. */
export const jsonPieces = (value: unknown, indent: number): Iterable<string> => pieces(value, indent, 0);

function* pieces(value: unknown, indent: number, depth: number): Generator<string, void> {
  if (!isTakenApart(value, depth)) {
    yield nested(value, indent, depth);
    return;
  }
  const isList = Array.isArray(value);
  let before = isList ? '[' : '{';
  for (const [key, entry] of Object.entries(value)) {
    if (!isList && entry === undefined) continue;
    yield `${before}\n${' '.repeat(indent * (depth + 1))}${isList ? '' : `${jsonText(key)}: `}`;
    yield* pieces(entry, indent, depth + 1);
    before = ',';
  }
  yield `\n${' '.repeat(indent * depth)}${isList ? ']' : '}'}`;
}

/** Long lists, and what has one. */
function isTakenApart(value: unknown, depth: number): value is object {
  if (depth === DEEPEST || typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value) && value.length >= LONG) return true;
  return Object.values(value).some((entry) => isTakenApart(entry, depth + 1));
}

/** With the beginnings of lines that it has so deep: what stands around it is cut off. */
function nested(value: unknown, indent: number, depth: number): string {
  let around = value;
  let before = 0;
  for (let level = 1; level <= depth; level++) {
    around = [around];
    before += 2 + indent * level;
  }
  const text = jsonText(around, indent);
  return text.slice(before, text.length - (before - indent * depth));
}
