import { bytes, columns } from '../../../sim/contract/format.ts';
import type { StackBytes, StackChange } from '../../report/sites/stacks.ts';
import type { Palette } from '../../report/text/summary.ts';

const SHOWN = 10;
const FRAMES = 3;

/** The innermost frames, which say most. */
const placeOf = ({ stack }: StackBytes): string => [...stack].reverse().slice(0, FRAMES).join(' < ');

/** Who holds the resident bytes, who pins, and whose free memory it was. */
export function siteLines(sites: readonly StackBytes[], palette: Palette): string[] {
  return [
    palette.bold('Whose resident bytes they are, by call stack'),
    ...columns(
      [
        ['held', 'pins', 'was freed', 'who'].map(palette.dim),
        ...sites.slice(0, SHOWN).map((s) => [bytes(s.held), bytes(s.pinned), bytes(s.freed), placeOf(s)]),
      ],
      'rrrl',
    ),
    ...(sites.length > SHOWN ? [palette.dim(`  and ${sites.length - SHOWN} more`)] : []),
  ];
}

/** By how much each call stack's bytes differ from an earlier run. */
export function diffText(changes: readonly StackChange[], palette: Palette): string {
  const signed = (n: number) => (n > 0 ? `+${bytes(n)}` : n < 0 ? `-${bytes(-n)}` : '0 B');
  const lines = ['', palette.bold('What differs from before, by call stack')];
  if (changes.length === 0) lines.push('  nothing');
  else {
    lines.push(
      ...columns(
        [
          ['held', 'pins', 'was freed', 'who'].map(palette.dim),
          ...changes.slice(0, 2 * SHOWN).map((c) => [signed(c.held), signed(c.pinned), signed(c.freed), placeOf(c)]),
        ],
        'rrrl',
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}
