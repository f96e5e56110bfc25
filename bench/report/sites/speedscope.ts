import { jsonText } from '../../../sim/contract/escape.ts';
import { lineOf, partsOf } from './frames.ts';
import { SITE_CLASSES, type StackBytes } from './stacks.ts';

/** A file of https://www.speedscope.app: a sampled profile in bytes for each class. */
export function speedscope(name: string, stacks: readonly StackBytes[]): string {
  const numbers = new Map<string, number>();
  const frames: { name: string; file?: string; line?: number }[] = [];
  const frame = (text: string): number => {
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, frames.length);
    const { name, place } = partsOf(text);
    const { file, line } = lineOf(place);
    return frames.push(place === '' ? { name: text } : { name, file, ...(line > 0 && { line }) }) - 1;
  };
  const profiles = SITE_CLASSES.map((kind) => {
    const used = stacks.filter((s) => s[kind] > 0);
    const weights = used.map((s) => Math.round(s[kind]));
    return {
      type: 'sampled',
      name: `${kind} (resident bytes)`,
      unit: 'bytes',
      startValue: 0,
      endValue: weights.reduce((sum, w) => sum + w, 0),
      samples: used.map((s) => s.stack.map(frame)),
      weights,
    };
  });
  return `${jsonText({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    shared: { frames },
    profiles,
    name,
    activeProfileIndex: 0,
    exporter: 'allocsim',
  })}\n`;
}
