import { bytes, columns, counted, percent } from '../../../../sim/contract/format.ts';
import type { Bytes } from '../../../../sim/contract/units.ts';
import { escapeLine } from '../../../report/escape.ts';
import { shortFrame } from '../../../report/sites/frames.ts';
import { byLine, callersOf, type LineBytes, sumOf } from '../../../report/sites/lines.ts';
import { SITE_CLASSES, type SiteClass, type StackBytes, type StackChange } from '../../../report/sites/stacks.ts';
import type { Palette } from '../../../report/text/palette.ts';
import type { Facts } from '../explanation.ts';
import { ALLOCATOR, NOBODY } from './by-site.ts';

const SHOWN = 10;
/** Below these shares nobody is named. */
const WORTH_NAMING = 0.02;
const MUCH = 0.1;
/** Callers that are named. */
const CALLERS = 3;

/** Who holds the resident bytes, who pins, and whose free memory it was. */
export function siteLines(sites: readonly StackBytes[], palette: Palette): string[] {
  const lines = byLine(sites);
  const row = (s: Readonly<Record<SiteClass, Bytes>>, who: string) => [
    ...SITE_CLASSES.map((name) => bytes(s[name])),
    who,
  ];
  const rest = lines.slice(SHOWN);
  return [
    palette.bold('Whose resident bytes they are, by the line of code that allocated'),
    ...columns(
      [
        ['held', 'pins', 'was freed', 'who'].map(palette.dim),
        ...lines.slice(0, SHOWN).map((s) => row(s, escapeLine(shortFrame(s.line)))),
        ...(rest.length > 0 ? [row(sumOf(rest), `${rest.length} more`)] : []),
        row(sumOf(lines), 'all'),
      ],
      'rrrl',
    ),
    palette.dim(`  ${COLUMNS}`),
  ];
}

const COLUMNS = 'held: requested and slack; pins: pinned; was freed: cached, pinned, returnable';

/** Names the lines of code behind what is resident. */
export function siteSentences({ sites, sample }: Facts): string[] {
  if (!sites || sample.rssBytes === 0) return [];
  const lines = byLine(sites);
  const sentences: string[] = [];
  const most = (name: SiteClass) => lines.reduce((best, s) => (s[name] > best[name] ? s : best));
  const { held, pinned, freed } = sumOf(lines);
  const holder = lines.length > 0 ? most('held') : undefined;
  if (holder && held > 0 && holder.held >= MUCH * held) {
    sentences.push(
      `Of the ${bytes(held)} that are held, ${bytes(holder.held)} (${percent(holder.held / held)}) were allocated at ${shortFrame(holder.line)}.`,
      ...callerSentences(holder, sites),
    );
  }
  if (pinned >= WORTH_NAMING * sample.rssBytes) {
    const pinner = most('pinned');
    const who =
      pinner.line === ALLOCATOR
        ? 'caches and structures of the allocator'
        : `blocks allocated at ${shortFrame(pinner.line)}`;
    sentences.push(
      `Of the ${bytes(pinned)} that are free and pinned, ${who} keep ${bytes(pinner.pinned)} (${percent(pinner.pinned / pinned)}).`,
    );
  }
  if (freed >= WORTH_NAMING * sample.rssBytes) {
    const last = most('freed');
    if (last.freed >= MUCH * freed && last.line !== NOBODY) {
      sentences.push(
        `Of the ${bytes(freed)} that are free, ${bytes(last.freed)} (${percent(last.freed / freed)}) were blocks last that were allocated at ${shortFrame(last.line)}.`,
      );
    }
  }
  return sentences;
}

/** A line that allocates for several others says little: its callers say more. */
function callerSentences({ line, held }: LineBytes, sites: readonly StackBytes[]): string[] {
  const callers = callersOf(line, sites);
  const [first, second] = callers;
  if (!second || first!.held > held * (1 - MUCH)) return [];
  const named = callers
    .slice(0, CALLERS)
    .map((c, i) => `${bytes(c.held)}${i === 0 ? ' were asked for' : ''} by ${shortFrame(c.line)}`);
  const more = callers.length > CALLERS ? [`the rest by ${counted(callers.length - CALLERS, 'more line')}`] : [];
  return [`Of these, ${[...named, ...more].join(', ')}.`];
}

/** By how much each call stack's bytes differ from an earlier run. */
export function diffText(changes: readonly StackChange[], palette: Palette): string {
  const signed = (n: number) => (n > 0 ? `+${bytes(n)}` : n < 0 ? `-${bytes(-n)}` : '0 B');
  const row = (s: Readonly<Record<SiteClass, Bytes>>, who: string) => [
    ...SITE_CLASSES.map((name) => signed(s[name])),
    who,
  ];
  const lines = ['', palette.bold('What differs from before, by the line of code that allocated')];
  const changed = byLine(changes).filter((s) => SITE_CLASSES.some((name) => s[name] !== 0));
  const rest = changed.slice(2 * SHOWN);
  if (changed.length === 0) lines.push('  nothing');
  else {
    lines.push(
      ...columns(
        [
          ['held', 'pins', 'was freed', 'who'].map(palette.dim),
          ...changed.slice(0, 2 * SHOWN).map((s) => row(s, escapeLine(shortFrame(s.line)))),
          ...(rest.length > 0 ? [row(sumOf(rest), `${rest.length} more`)] : []),
          row(sumOf(changed), 'all'),
        ],
        'rrrl',
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}
