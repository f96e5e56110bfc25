import { UserError } from '../../sim/contract/assert.ts';
import type { AddressTrace } from './address-trace.ts';
import type { Importer } from './importer.ts';
import { quotedLine } from './lines.ts';
import { exactNumber, sizeNumber } from './numbers.ts';

/**
 * What a few lines of bpftrace, perf or a program's own hooks can print: a line of column names, then one call a line.
 *
 *   op        malloc, calloc, realloc, memalign, free, exit (of the thread)
 *   address   of the block, decimal or 0x…; of a realloc the new one
 *   size      in bytes
 *   thread    any number; the first one seen is the main thread   (without it: one thread)
 *   time      in nanoseconds                                      (without it: no clock)
 *   old       of a realloc: where the block was
 *   count     of a calloc: elements of `size` bytes               (without it: 1)
 *   align     of a memalign
 */
const COLUMNS = ['op', 'address', 'size', 'thread', 'time', 'old', 'count', 'align'] as const;
type Column = (typeof COLUMNS)[number];
const OPERATIONS = ['malloc', 'calloc', 'realloc', 'memalign', 'free', 'exit'];

function createCsvImport(trace: AddressTrace): (line: string, place: string) => void {
  let columns: readonly string[] | undefined;
  const threads = new Map<number, number>();

  function header(line: string, place: string): readonly string[] {
    const names = line.split(',').map((name) => name.trim());
    const unknown = names.find((name) => !(COLUMNS as readonly string[]).includes(name));
    if (unknown !== undefined || !names.includes('op') || !names.includes('address')) {
      throw new UserError(`${place}: found ${quotedLine(line)}, expected column names: ${COLUMNS}`);
    }
    return names;
  }

  return (line, place) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    if (!columns) {
      columns = header(line, place);
      return;
    }
    const fields = line.split(',').map((field) => field.trim());
    const text = (column: Column) => fields[columns!.indexOf(column)] ?? '';
    const value = (column: Column, missing = 0) => {
      const field = text(column);
      const parse = column === 'size' || column === 'count' ? sizeNumber : exactNumber;
      return field === '' ? missing : parse(field, { place, what: column, radix: 10 });
    };
    const op = text('op');
    if (!OPERATIONS.includes(op)) {
      throw new UserError(`${place}: found op ${quotedLine(op)}, expected one of ${OPERATIONS.join(', ')}`);
    }
    const id = value('thread');
    if (!threads.has(id)) threads.set(id, threads.size);
    const thread = threads.get(id)!;
    if (text('time') !== '') trace.time(value('time'));
    const address = value('address');
    const size = value('size');
    if (op === 'malloc') trace.malloc(thread, address, size);
    else if (op === 'calloc') trace.calloc(thread, address, value('count', 1), size);
    else if (op === 'memalign') trace.memalign(thread, address, value('align'), size);
    else if (op === 'exit') trace.threadExit(thread);
    else if (op === 'free' && address !== 0) trace.free(thread, address);
    else if (op === 'realloc' && value('old') === 0) trace.malloc(thread, address, size);
    else if (op === 'realloc') {
      trace.reallocBegin(thread, value('old'));
      trace.reallocEnd(thread, address, size);
    }
  };
}

export const csv: Importer = {
  name: 'csv',
  about: 'a line of column names, then one call a line',
  begins: (line) => /^\s*\w+(\s*,\s*\w+)+\s*$/.test(line),
  create: createCsvImport,
};
