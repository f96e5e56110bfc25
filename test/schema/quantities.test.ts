import { expect, test } from 'vitest';
import { publishedText } from '../../bench/schema/published.ts';
import { durationUs, ratePerSecond, sizeBytes } from '../../sim/contract/quantities.ts';

interface Part {
  readonly properties: Readonly<Record<string, Part>>;
  readonly items: Part;
  readonly pattern: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly type: string | readonly string[];
}

const { properties } = JSON.parse(publishedText('machine-scenario')) as Part;
const parts = {
  size: [properties['machine']!.properties['memory']!, sizeBytes],
  duration: [properties['duration']!, durationUs],
  rate: [properties['requests']!.items.properties['rate']!, ratePerSecond],
} as const;

const TEXTS =
  '0 1 5K 5k 5KB 5KiB 1.5G 1.5 GiB|2T|-1|1e3|lots|72h|1h30m|1.5s|80ms|5us|5 s|30d|s|2/s|90/m|1.5/h|2 / d|2/|/s|2/w|2/S| 2/s |';

test.each(Object.entries(parts))('the published pattern of a %s takes what the program takes', (_, [part, parse]) => {
  const pattern = new RegExp(part.pattern);
  for (const text of TEXTS.split('|').flatMap((words) => [words, ...words.split(' ')]))
    expect([text, pattern.test(text)]).toEqual([text, parse(text) !== undefined]);
  for (const number of [0, 1, 4096, 1.5, -1]) {
    const isType = part.type !== 'string';
    const isTaken = isType && number >= (part.minimum ?? -Infinity) && number <= (part.maximum ?? Infinity);
    expect([number, isTaken]).toEqual([number, parse(number) !== undefined]);
  }
});
