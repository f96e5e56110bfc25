import type { Frame } from '../../../sim/contract/event.ts';

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** `parse (/src/a.c:7)`, `deflate [libz.so.1]`, `app+0x1234`: what is known of a frame. */
export function frameText({ functionName, file, line, module }: Frame): string {
  if (file !== '') return `${functionName || '?'} (${file}${line > 0 ? `:${line}` : ''})`;
  const name = baseName(module);
  if (name === '') return functionName || '(unknown)';
  return /^0x[0-9a-f]+$/.test(functionName) ? `${name}+${functionName}` : `${functionName || '?'} [${name}]`;
}

/** A frame's text in parts; `place` is its file with the line, `module` its library or program where no file is known. */
export interface FrameParts {
  readonly name: string;
  readonly place: string;
  readonly module: string;
}

export function partsOf(text: string): FrameParts {
  const [, name = text, place = ''] = /^(.*) \(([^()]*)\)$/.exec(text) ?? [];
  if (place !== '') return { name, place, module: '' };
  const [, inner = '', library = ''] = /^(.*) \[([^[\]]*)\]$/.exec(text) ?? [];
  if (library !== '') return { name: inner, place: '', module: library };
  const [, bare = ''] = /^(.+)\+0x[0-9a-f]+$/.exec(text) ?? [];
  return { name: text, place: '', module: bare };
}

/** The file and line of a place; line 0 where it is not known. */
export function lineOf(place: string): { readonly file: string; readonly line: number } {
  const [, file = place, line = '0'] = /^(.*):(\d+)$/.exec(place) ?? [];
  return { file, line: Number(line) };
}

/** Headers of the system, what was built elsewhere with a relative path; Rust's library as its compiler names it, and crates. */
const SYSTEM_PLACE =
  /^(\/usr\/(include|lib)\/|\.|\/rustc\/|\/rust\/deps\/)|\/(rustlib\/src|\.?cargo\/(registry|git))\//;
/** C++'s and Rust's own; Rust's functions have no arguments in their names. */
const SYSTEM_NAME = /^(std::|__gnu_cxx::|operator (new|delete)|_start$|__libc_|<*(std|alloc|core|hashbrown)::[^(]*$)/;

/** Code that is everybody's. */
function isSystem(text: string): boolean {
  const { name, place, module } = partsOf(text);
  if (place !== '') return SYSTEM_PLACE.test(place);
  return /^(lib|ld-)/.test(module) || SYSTEM_NAME.test(name);
}

/** What only passes a request on: malloc under other names. */
const isMachinery = (text: string): boolean =>
  /^(operator new|__cxa_allocate|\?|0x)/.test(text) ||
  /^\w*([mcz]alloc|realloc|memalign|strn?dup|GenericAlloc)\w*( |$)/i.test(text);

/**
 * The line of code that a stack (outermost first) is known by: the innermost one that is the program's own, not of the system's
 * libraries or headers; else the innermost function.
 */
export function ownLine(stack: readonly string[]): string {
  return (
    stack.findLast((text) => !isSystem(text) && !isMachinery(text) && !/^(_start|main) \[/.test(text)) ??
    stack.findLast((text) => !isMachinery(text)) ??
    stack[stack.length - 1] ??
    '(unknown)'
  );
}

/** Nested brackets of templates are cut where the name is long; of the file its name is kept. */
export function shortFrame(text: string, longest = 48): string {
  const { name, place } = partsOf(text);
  const rest = place === '' ? text.slice(name.length) : ` (${baseName(place)})`;
  return shortName(name, longest) + rest;
}

function shortName(name: string, longest: number): string {
  let short = name;
  for (let depth = 4; short.length > longest && depth >= 0; depth--) short = withoutDeeper(name, depth);
  return short.length > longest ? `${short.slice(0, longest - 1)}…` : short;
}

/** What lies in more than `depth` brackets is left out. */
function withoutDeeper(name: string, depth: number): string {
  let level = 0;
  let kept = '';
  for (let i = 0; i < name.length; i++) {
    const c = name[i]!;
    const isOperator = /operator[<>-]*$/.test(name.slice(Math.max(0, i - 12), i));
    if ((c === '<' && !isOperator) || c === '(') {
      if (level <= depth) kept += level === depth && !/[>)]/.test(name[i + 1] ?? '') ? `${c}…` : c;
      level++;
    } else if ((c === '>' && !isOperator && name[i - 1] !== '-') || c === ')') {
      level = Math.max(0, level - 1);
      if (level <= depth) kept += c;
    } else if (level <= depth) {
      kept += c;
    }
  }
  return kept;
}
