import { UserError } from '../../sim/contract/assert.ts';
import type { AddressTrace } from './address-trace.ts';
import type { Importer } from './importer.ts';

/**
 * The data of heaptrack, as its recorder writes them (`heaptrack --raw`) or as they are kept after interpretation. All
 * numbers are hexadecimal; there are no threads, and a realloc is a free and an allocation.
 *
 *   v 10500 3            the first line
 *   c 1f4                milliseconds since the start
 *   + size trace ptr     raw: an allocation          - ptr      raw: a free
 *   a size trace         interpreted: the next kind of allocation, numbered from 0
 *   + kind               interpreted: an allocation of that kind
 *   - kind               interpreted: a free of one of that kind; which, is not said
 *
 * Where it is not said, a block that was allocated just before is taken to be the one freed, else the oldest of its kind.
 */
function createHeaptrackImport(trace: AddressTrace): (line: string, place: string) => void {
  const kinds: { readonly size: number; readonly live: number[]; oldest: number }[] = [];
  let blocks = 0;
  let lastKind = -1;

  function allocate(kind: number, place: string): void {
    const known = kinds[kind];
    if (!known) throw new UserError(`${place}: found allocation kind ${kind}, expected one of ${kinds.length}`);
    known.live.push(++blocks);
    trace.malloc(0, blocks, known.size);
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

  return (line, place) => {
    const mode = line[0];
    if (mode !== '+' && mode !== '-' && mode !== 'a' && mode !== 'c') return;
    const numbers = line
      .slice(2)
      .trim()
      .split(' ')
      .map((field) => Number.parseInt(field, 16));
    if (line[1] !== ' ' || !numbers.every((n) => n >= 0)) {
      throw new UserError(`${place}: found ${JSON.stringify(line.slice(0, 60))}, expected a line of heaptrack`);
    }
    const [first = 0, , pointer] = numbers;
    if (mode === 'c') trace.time(first * 1e6);
    else if (mode === 'a') kinds.push({ size: first, live: [], oldest: 0 });
    else if (mode === '+' && pointer !== undefined) trace.malloc(0, pointer, first);
    else if (mode === '+') allocate(first, place);
    else if (kinds.length === 0) trace.free(0, first);
    else free(first);
    if (mode === '+' || mode === '-') lastKind = mode === '+' && pointer === undefined ? first : -1;
  };
}

export const heaptrack: Importer = {
  name: 'heaptrack',
  about: 'the data of heaptrack, raw or interpreted',
  begins: (line) => /^v [0-9a-f]+( [0-9a-f]+)?$/.test(line),
  create: createHeaptrackImport,
};
