import { UserError } from '../../sim/contract/assert.ts';
import type { AddressTrace } from './address-trace.ts';
import type { Importer } from './importer.ts';
import { quotedLine } from './lines.ts';
import { exactNumber, sizeNumber } from './numbers.ts';

/**
 * The log of glibc's mtrace(3). It knows no threads and no time: all is the main thread's.
 *
 *   @ program:[0x4011a2] + 0x15d82a0 0x10      malloc, calloc, memalign: address and size
 *   @ program:[0x4011b2] - 0x15d82a0           free
 *   @ program:[0x4011c2] < 0x15d82a0           realloc: the old block …
 *   @ program:[0x4011c2] > 0x15d8700 0x20      … and the new one
 *   @ program:[0x4011c2] ! 0x15d8700 0x20      realloc failed
 */
function importMtraceLine(trace: AddressTrace, line: string, place: string): void {
  if (line === '' || line.startsWith('= ')) return; // Start, End
  const match = /^(?:@ .*? )?([-+<>!]) 0x([0-9a-f]+)(?: 0x([0-9a-f]+))?$/i.exec(line);
  const sign = match?.[1];
  if (!sign || (match[3] === undefined) !== (sign === '-' || sign === '<')) {
    throw new UserError(`${place}: found ${quotedLine(line)}, expected a line of mtrace`);
  }
  const address = exactNumber(match[2]!, { place, what: 'address', radix: 16 });
  const size = sizeNumber(match[3] ?? '0', { place, what: 'size', radix: 16 });
  if (sign === '+') trace.malloc(0, address, size);
  else if (sign === '-') trace.free(0, address);
  else if (sign === '<') trace.reallocBegin(0, address);
  else if (sign === '>') trace.reallocEnd(0, address, size);
  // A failed realloc comes alone: nothing has changed.
}

export const mtrace: Importer = {
  name: 'mtrace',
  about: 'the log of glibc’s mtrace(3)',
  begins: (line) => /^(= Start|@ |[-+<>!] 0x)/.test(line),
  create: (trace) => (line, place) => importMtraceLine(trace, line, place),
};
