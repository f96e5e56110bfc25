import { lineOf, partsOf } from './frames.ts';
import { diffStacks, frameField, type StackBytes, type StackChange } from './stacks.ts';

/** By how much each stack differs from an earlier version of the program: a line that an edit above it has moved is the same line. */
export function changesSince(before: readonly StackBytes[], after: readonly StackBytes[]): StackChange[] {
  const places = placesNow(framesOf(before), framesOf(after));
  const moved = before.map((s) => ({ ...s, stack: s.stack.map((frame) => places.get(frame) ?? frame) }));
  return diffStacks(moved, after);
}

const framesOf = (stacks: readonly StackBytes[]): Set<string> =>
  new Set(stacks.flatMap((s) => s.stack.map(frameField)));

/** Of frames whose line has another number now: what they are called now. */
function placesNow(before: ReadonlySet<string>, after: ReadonlySet<string>): Map<string, string> {
  const now = byFunction(after);
  const places = new Map<string, string>();
  for (const [name, old] of byFunction(before)) {
    const lines = now.get(name);
    if (!lines) continue;
    for (const [from, to] of pairs([...old.keys()], [...lines.keys()])) {
      if (from !== to) places.set(old.get(from)!, lines.get(to)!);
    }
  }
  return places;
}

/** The lines of each function in its file, wherever that lies, with their frames. */
function byFunction(frames: ReadonlySet<string>): Map<string, Map<number, string>> {
  const functions = new Map<string, Map<number, string>>();
  for (const frame of frames) {
    const { name, place } = partsOf(frame);
    const { file, line } = lineOf(place);
    if (line === 0) continue;
    const key = `${name}\n${file.slice(file.lastIndexOf('/') + 1)}`;
    const lines = functions.get(key) ?? new Map<number, string>();
    functions.set(key, lines.set(line, frame));
  }
  return functions;
}

/** Which line of a function is which one now: the first is the first where there are as many; else all have moved as far as fits most of them. */
function pairs(old: readonly number[], now: readonly number[]): [number, number][] {
  const inOrder = (lines: readonly number[]) => lines.toSorted((x, y) => x - y);
  if (old.length === now.length) {
    const come = inOrder(now);
    return inOrder(old).map((line, i) => [line, come[i]!]);
  }
  const fitting = (by: number) => old.filter((line) => now.includes(line + by));
  const by = old
    .flatMap((from) => now.map((to) => to - from))
    .reduce((x, y) => {
      const more = fitting(y).length - fitting(x).length;
      return more > 0 || (more === 0 && Math.abs(y) < Math.abs(x)) ? y : x;
    }, 0);
  return fitting(by).map((line) => [line, line + by]);
}
