import { UserError } from '../../sim/contract/assert.ts';
import { readTextFile } from './text-file.ts';

/** Who walks over a value calls himself for each level. */
const DEPTH_MAX = 100;

/** JSON from a file, or one line that says why not. */
export function readJson(path: string, expected = 'a JSON file'): unknown {
  const text = readTextFile(path, expected);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path}: found no JSON (${(error as Error).message})`);
  }
  if (depthOf(text) > DEPTH_MAX) {
    throw new UserError(`${path}: found JSON of more than ${DEPTH_MAX} levels, expected ${expected}`);
  }
  return value;
}

/** Levels of a text that is JSON. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (isInString) {
      if (c === BACKSLASH) at++;
      else if (c === QUOTE) isInString = false;
    } else if (c === QUOTE) isInString = true;
    else if (c === ARRAY || c === OBJECT) deepest = Math.max(deepest, ++depth);
    else if (c === ARRAY + 2 || c === OBJECT + 2) depth--;
  }
  return deepest;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** An opening bracket; the closing one is two further. */
const ARRAY = 0x5b;
const OBJECT = 0x7b;
