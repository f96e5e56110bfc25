import { escapeField } from '../../../sim/contract/escape.ts';
import type { Bytes } from '../../../sim/contract/units.ts';

/** What a call site has to do with the resident bytes. */
export const SITE_CLASSES = ['held', 'pinned', 'freed'] as const;
export type SiteClass = (typeof SITE_CLASSES)[number];

/**
 * Resident bytes of one call stack:
 *
 *   held    in blocks that it allocated and that live
 *   pinned  free, and given back if the blocks that it allocated there were freed (measured)
 *   freed   free, on pages where a block that it allocated was the last to be freed
 */
export interface StackBytes extends Readonly<Record<SiteClass, Bytes>> {
  /** Outermost caller first. */
  readonly stack: readonly string[];
}

/** One line for each stack and class, as flamegraph.pl and its like read them: the class is the outermost frame. */
export function collapsed(stacks: readonly StackBytes[]): string {
  const lines: string[] = [];
  for (const name of SITE_CLASSES) {
    for (const s of stacks) {
      if (s[name] > 0) lines.push(`${name};${stackText(s)} ${Math.round(s[name])}`);
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** A semicolon in a name would be read as the end of a frame. */
export const frameField = (frame: string): string => escapeField(frame.replace(/[;\r\n]/g, ','));

const stackText = ({ stack }: Pick<StackBytes, 'stack'>): string => stack.map(frameField).join(';');

/** Reads what `collapsed` has written; undefined for lines of another form. */
export function parseCollapsed(text: string): StackBytes[] | undefined {
  const byStack = new Map<string, { stack: string[]; held: number; pinned: number; freed: number }>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, name, rest, weight] = /^(held|pinned|freed);(.*) (\d+)$/s.exec(line) ?? [];
    if (weight === undefined) return undefined;
    const entry = byStack.get(rest!) ?? { stack: rest!.split(';'), held: 0, pinned: 0, freed: 0 };
    entry[name as SiteClass] += Number(weight);
    byStack.set(rest!, entry);
  }
  return [...byStack.values()];
}

export interface StackChange extends StackBytes {
  readonly total: Bytes;
}

/** By how much each stack's bytes differ from before, the largest change first; stacks that are the same are left out. */
export function diffStacks(before: readonly StackBytes[], after: readonly StackBytes[]): StackChange[] {
  const [old, now] = [byText(before), byText(after)];
  const changes: StackChange[] = [];
  for (const k of new Set([...old.keys(), ...now.keys()])) {
    const [x, y] = [old.get(k), now.get(k)];
    const of = (name: SiteClass) => (y?.[name] ?? 0) - (x?.[name] ?? 0);
    const change = { stack: (y ?? x)!.stack, held: of('held'), pinned: of('pinned'), freed: of('freed') };
    // What is pinned is free memory too, and not counted twice.
    if (SITE_CLASSES.some((name) => change[name] !== 0)) changes.push({ ...change, total: change.held + change.freed });
  }
  return changes.sort((x, y) => Math.abs(y.total) - Math.abs(x.total) || (stackText(x) < stackText(y) ? -1 : 1));
}

/** By what `collapsed` writes of them: a stack that was read from a file is the same one. */
function byText(stacks: readonly StackBytes[]): Map<string, StackBytes> {
  const sums = new Map<string, StackBytes>();
  for (const s of stacks) {
    const text = stackText(s);
    const { held = 0, pinned = 0, freed = 0 } = sums.get(text) ?? {};
    sums.set(text, { stack: s.stack, held: held + s.held, pinned: pinned + s.pinned, freed: freed + s.freed });
  }
  return sums;
}
