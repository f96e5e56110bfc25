import { bytes, count, counted, percent } from '../../../../sim/contract/format.ts';
import { shortFrame } from '../../../report/sites/frames.ts';
import { byLine, sumOf } from '../../../report/sites/lines.ts';
import type { Facts, VerdictKind } from '../explanation.ts';
import { WORTH_FINDING } from '../mechanisms/mechanism.ts';
import type { Floors } from './floors.ts';
import type { GrowingPart } from './growing-parts.ts';
import { risesByMuch, type Unbounded } from './unbounded.ts';

/** More are not named one by one. */
const NAMED = 3;

/** A share that is no matter. */
const A_FEW = 0.1;

/** What the headline says of it after the requested bytes. */
export function leakText({ parts, bytes: grown }: Unbounded, { sample, growth }: Facts): string {
  const all = grown >= sample.breakdown.requested * (1 - A_FEW);
  const which = all ? 'all of that' : `${bytes(grown)} of it`;
  // What realloc makes larger may grow too, and is none of these parts.
  const rest = all || growth.reallocBytes >= grown * A_FEW ? '' : '; the rest does not';
  if (parts.length === 0) return `the least sum of ${all ? 'it' : which} rises from quarter to quarter of the run`;
  return `${which}, ${whoseText(parts)}, grows from quarter to quarter of the run${rest}`;
}

/** Beside a cause that accounts for more: what a program that is at work holds ever more of, however large the rest is. */
export function besideText(kind: VerdictKind, unbounded: Unbounded | null, facts: Facts): string[] {
  if (kind === 'leak' || kind === 'in use' || !unbounded?.isAtWork || unbounded.hasStopped) return [];
  const { parts, bytes: grown } = unbounded;
  const which = parts.length === 0 ? 'all that the program holds' : whoseText(parts);
  return [
    `Beside it a leak, or a program that needs ever more: ${bytes(grown)} of ${bytes(facts.sample.rssBytes)} resident, ${which}, grow from quarter to quarter of the run.`,
  ];
}

/** Whether the program holds more and more, and where that was allocated. */
export function growthSentences(facts: Facts, kind: VerdictKind, unbounded: Unbounded | null): string[] {
  const { growth, sample } = facts;
  if (sample.rssBytes === 0) return [];
  return [
    ...(unbounded ? unboundedSentences(unbounded, facts, kind) : wholeSentence(facts)),
    ...growth.parts
      .filter((part) => part.grownByRealloc > 0 && part.bytes >= WORTH_FINDING * sample.rssBytes)
      .slice(0, NAMED)
      .map(reallocSentence),
  ];
}

function unboundedSentences(unbounded: Unbounded, { growth, sites }: Facts, kind: VerdictKind): string[] {
  const { parts } = unbounded;
  const rises =
    parts.length === 0
      ? [`Least sum of live blocks in each quarter of the run: ${floorsText(growth.floors)}.`]
      : parts.slice(0, NAMED).map(partSentence);
  const hint = sites
    ? []
    : ['A recording with call sites (sim record --sites) names the line of code that allocates it.'];
  return [...rises, ...(kind === 'leak' ? [] : [whetherText(unbounded)]), ...hint];
}

/** What speaks against a leak. */
function whetherText({ isAtWork, hasStopped }: Unbounded): string {
  const unknown = 'whether it is a leak the trace cannot say.';
  if (hasStopped) return `Next to nothing of it came in the last quarter of the recorded time: ${unknown}`;
  if (isAtWork) return 'That may be a leak, or what the program needs ever more of.';
  return `It never fell, and not much else was freed meanwhile: so it is with a leak, and with a program that builds what it needs; ${unknown}`;
}

function partSentence(part: GrowingPart): string {
  return `What is ${part.line === null ? 'held' : 'allocated'} ${inOrAt(part)} rises: at least ${floorsText(part.floors)} in each quarter of the run, ${counted(part.blocks, 'block')} now.`;
}

const inOrAt = ({ line, sizes }: GrowingPart): string =>
  line === null ? `in ${sizesText(sizes)}` : `at ${shortFrame(line)}`;

function reallocSentence(part: GrowingPart): string {
  const where = part.line === null ? '' : ` at ${shortFrame(part.line)}`;
  const [what, grow] =
    part.grownByRealloc === 1 ? ['A block', 'grows'] : [counted(part.grownByRealloc, 'block'), 'grow'];
  return `${what} that realloc made larger${where} ${grow} to the end: at least ${floorsText(part.floors)} in each quarter of the run. That is no leak: the program holds what it makes larger.`;
}

/** Whose it is, of a few parts each one, of more the range. */
function whoseText(parts: readonly GrowingPart[]): string {
  if (parts[0]!.line !== null) {
    const named = parts.slice(0, NAMED).map(({ line }) => shortFrame(line!));
    const more = parts.length > NAMED ? [`${count(parts.length - NAMED)} other lines`] : [];
    return `allocated at ${listed([...named, ...more])}`;
  }
  const sizes = parts.map((part) => part.sizes!);
  const range = [Math.min(...sizes.map(([from]) => from)), Math.max(...sizes.map(([, to]) => to))] as const;
  return sizesText(range);
}

const sizesText = (sizes: readonly [number, number] | null): string =>
  sizes === null ? 'blocks that realloc made larger' : `blocks of ${count(sizes[0])} to ${count(sizes[1])} bytes`;

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

const floorsText = (floors: Floors): string => floors.map((f) => bytes(f)).join(', ');

/** All of it together, where no part of it alone is known to grow. */
function wholeSentence(facts: Facts): string[] {
  const { growth, sites } = facts;
  if (!risesByMuch(facts)) return [];
  const lines = byLine(sites ?? []);
  const most = lines.reduce((x, y) => (y.held > x.held ? y : x), lines[0]!);
  const { held } = sumOf(lines);
  const who = held > 0 ? `; ${percent(most.held / held)} of all was allocated at ${shortFrame(most.line)}` : '';
  return [
    `What the program itself holds grows too: its least sum rises from quarter to quarter (${floorsText(growth.floors)})${who}.`,
  ];
}
