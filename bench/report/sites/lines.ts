import type { Bytes } from '../../../sim/contract/units.ts';
import { ownLine, partsOf } from './frames.ts';
import { SITE_CLASSES, type SiteClass, type StackBytes } from './stacks.ts';

/** What a line of code has to do with the resident bytes, over all stacks that are known by it. */
export type LineBytes = { readonly line: string } & Readonly<Record<SiteClass, Bytes>>;

/** By line of code, the most first. */
export function byLine(stacks: readonly StackBytes[]): LineBytes[] {
  const lines = new Map<string, { line: string } & Record<SiteClass, Bytes>>();
  for (const stack of stacks) {
    const line = ownLine(stack.stack);
    const sum = lines.get(line) ?? { line, held: 0, pinned: 0, freed: 0 };
    for (const name of SITE_CLASSES) sum[name] += stack[name];
    lines.set(line, sum);
  }
  const order = (s: LineBytes) => Math.abs(s.held + s.freed);
  return [...lines.values()].sort(
    (x, y) => order(y) - order(x) || Math.abs(y.pinned) - Math.abs(x.pinned) || (x.line < y.line ? -1 : 1),
  );
}

/**
 * The line of code that called the function of `line`, by which the stack (outermost first) is known; `line` where nobody did. A function that calls
 * itself is one.
 */
export function callerOf(line: string, stack: readonly string[]): string {
  const { name } = partsOf(line);
  const first = stack.findIndex((frame) => partsOf(frame).name === name);
  return first > 0 ? ownLine(stack.slice(0, first)) : line;
}

/** Of what was allocated at a line, who asked for it: held bytes by the line of code that called its function, the most first. */
export function callersOf(
  line: string,
  stacks: readonly StackBytes[],
): { readonly line: string; readonly held: Bytes }[] {
  const held = new Map<string, Bytes>();
  for (const stack of stacks) {
    if (stack.held === 0 || ownLine(stack.stack) !== line) continue;
    const caller = callerOf(line, stack.stack);
    held.set(caller, (held.get(caller) ?? 0) + stack.held);
  }
  return [...held]
    .map(([caller, bytes]) => ({ line: caller, held: bytes }))
    .sort((x, y) => y.held - x.held || (x.line < y.line ? -1 : 1));
}

export function sumOf(stacks: readonly Readonly<Record<SiteClass, Bytes>>[]): Record<SiteClass, Bytes> {
  const sum = { held: 0, pinned: 0, freed: 0 };
  for (const stack of stacks) for (const name of SITE_CLASSES) sum[name] += stack[name];
  return sum;
}
