import { UserError } from '../../sim/contract/assert.ts';
import type { AddressTrace } from './address-trace.ts';
import { createHeaptrackStacks } from './heaptrack-stacks.ts';
import type { Importer } from './importer.ts';
import { quotedLine } from './lines.ts';
import { exactNumber, sizeNumber } from './numbers.ts';

/**
 * The data of heaptrack, as its recorder writes them (`heaptrack --raw`) or as they are kept after interpretation. All
 * numbers are hexadecimal; there are no threads, and a realloc is a free and an allocation. Call stacks are kept
 * (heaptrack-stacks.ts).
 *
 *   v 10500 3            the first line
 *   c 1f4                milliseconds since the start
 *   + size stack ptr     raw: an allocation          - ptr      raw: a free
 *   a size stack         interpreted: the next kind of allocation, numbered from 0
 *   + kind               interpreted: an allocation of that kind
 *   - kind               interpreted: a free of one of that kind; which, is not said
 *
 * Where it is not said, a block that was allocated just before is taken to be the one freed, else the oldest of its kind.
 */
function createHeaptrackImport(trace: AddressTrace): (line: string, place: string) => void {
  const stacks = createHeaptrackStacks(trace);
  const kinds: { readonly size: number; readonly site: number; readonly live: number[]; oldest: number }[] = [];
  let blocks = 0;
  let lastKind = -1;

  function allocate(kind: number, place: string): void {
    const known = kinds[kind];
    if (!known) throw new UserError(`${place}: found allocation kind ${kind}, expected one of ${kinds.length}`);
    known.live.push(++blocks);
    trace.malloc(0, blocks, known.size, known.site);
  }

  function free(kind: number): void {
    const known = kinds[kind];
    if (!known || known.oldest === known.live.length) {
      trace.free(0, 0); // counted as a block that was not seen
      return;
    }
    trace.free(0, kind === lastKind ? known.live.pop()! : known.live[known.oldest++]!);
    if (known.oldest > 1024 && known.oldest * 2 > known.live.length) {
      known.live.splice(0, known.oldest);
      known.oldest = 0;
    }
  }

  /** Lines of allocations, frees and times. */
  function event(mode: string, rest: string, place: string): void {
    const fields = rest.trim().split(' ');
    const number = (i: number, what: string) => exactNumber(fields[i] ?? '', { place, what, radix: 16 });
    const size = () => sizeNumber(fields[0]!, { place, what: 'size', radix: 16 });
    const stack = () => (fields.length > 1 ? stacks.siteOf(number(1, 'call stack')) : 0);
    const isRaw = fields.length > 2;
    if (mode === 'c') trace.time(number(0, 'time') * 1e6);
    else if (mode === 'a') kinds.push({ size: size(), site: stack(), live: [], oldest: 0 });
    else if (mode === '+' && isRaw) trace.malloc(0, number(2, 'address'), size(), stack());
    else if (mode === '+') allocate(number(0, 'allocation kind'), place);
    else if (kinds.length === 0) trace.free(0, number(0, 'address'));
    else free(number(0, 'allocation kind'));
    if (mode === '+' || mode === '-') lastKind = mode === '+' && !isRaw ? number(0, 'allocation kind') : -1;
  }

  return (line, place) => {
    const mode = line[0] ?? '';
    if (!'+-acsxmit'.includes(mode) || mode === '') return;
    if (line[1] !== ' ') throw new UserError(`${place}: found ${quotedLine(line)}, expected a line of heaptrack`);
    const rest = line.slice(2);
    if (!stacks.take(mode, rest, place)) event(mode, rest, place);
  };
}

export const heaptrack: Importer = {
  name: 'heaptrack',
  about: 'the data of heaptrack, raw or interpreted',
  begins: (line) => /^v [0-9a-f]+( [0-9a-f]+)?$/.test(line),
  create: createHeaptrackImport,
};
