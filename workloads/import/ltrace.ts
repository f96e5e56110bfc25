import type { AddressTrace } from './address-trace.ts';
import type { Importer } from './importer.ts';
import { exactNumber, sizeNumber } from './numbers.ts';

/**
 * The output of `ltrace -f -ttt -e malloc+calloc+realloc+free+memalign+posix_memalign+aligned_alloc`. Times, process
 * numbers and the caller's name may be there or not; calls of other functions are passed over.
 *
 *   [pid 812] 1700000000.123456 convert->malloc(24)            = 0x55d0c0a2a0
 *   [pid 813] free(0x55d0c0a2a0)                                = <void>
 *   [pid 812] realloc(0x55d0c0a2a0, 100 <unfinished ...>
 *   [pid 812] <... realloc resumed> )                           = 0x55d0c0b000
 */
// None of these looks at a character more than a few times, however long the line.
const LINE = /^(?:\[pid (\d+)\] |(\d+) +(?! )(?=[\d.]*\s*[\w.<]))?(?:(\d{1,15})\.(\d{6}) )?(.*)$/s;
const CALL = /^(?:[\w.+-]+->)?(\w+)\(([^)<]*)(?:\)\s+= (\S+).*|<unfinished \.\.\.>)$/;
const RESUMED = /^<\.\.\. (\w+) resumed> .*\)\s+= (\S+)/;

/** The arguments of each call: which are addresses, all others are sizes. */
const FAMILY: Readonly<Record<string, readonly ('address' | 'size')[]>> = {
  malloc: ['size'],
  calloc: ['size', 'size'],
  realloc: ['address', 'size'],
  free: ['address'],
  memalign: ['size', 'size'],
  aligned_alloc: ['size', 'size'],
  posix_memalign: ['address', 'size', 'size'],
};

function createLtraceImport(trace: AddressTrace): (line: string, place: string) => void {
  /** By process number, in the order of their appearance: the first one is the main thread. */
  const threads = new Map<string, number>();
  let firstSecond: number | undefined;
  const pending = new Map<number, { readonly name: string; readonly args: readonly number[] }>();

  function begin(thread: number, name: string, args: readonly number[]): void {
    if (name === 'free' && args[0] !== 0) trace.free(thread, args[0]!);
    if (name === 'realloc' && args[0] !== 0) trace.reallocBegin(thread, args[0]!);
  }

  function end(thread: number, name: string, args: readonly number[], result: number): void {
    const [first = 0, second = 0] = args;
    if (name === 'malloc') trace.malloc(thread, result, first);
    else if (name === 'calloc') trace.calloc(thread, result, first, second);
    else if (name === 'memalign' || name === 'aligned_alloc') trace.memalign(thread, result, first, second);
    else if (name === 'realloc' && first === 0) trace.malloc(thread, result, second);
    else if (name === 'realloc') trace.reallocEnd(thread, result, second);
    // posix_memalign shows where the address is put, not what is put there.
    else if (name === 'posix_memalign') trace.odd('blocks of posix_memalign, whose addresses ltrace does not show');
  }

  function argument(text: string, kind: 'address' | 'size', place: string): number {
    const field = text.trim();
    if (field === '' || field === 'nil' || field === 'NULL' || field === '<void>') return 0;
    return (kind === 'size' ? sizeNumber : exactNumber)(field, { place, what: kind, radix: 10 });
  }

  return (line, place) => {
    const [, bracketed, plain, seconds, micros, rest] = LINE.exec(line)!;
    const process = bracketed ?? plain ?? '';
    if (!threads.has(process)) threads.set(process, threads.size);
    const thread = threads.get(process)!;
    if (seconds !== undefined) {
      // Nanoseconds since 1970 are more than a double holds.
      firstSecond ??= Number(seconds);
      trace.time((Number(seconds) - firstSecond) * 1e9 + Number(micros) * 1000);
    }
    const resumed = RESUMED.exec(rest!);
    if (resumed) {
      const call = pending.get(thread);
      pending.delete(thread);
      if (call && call.name === resumed[1]) end(thread, call.name, call.args, argument(resumed[2]!, 'address', place));
      return;
    }
    const call = CALL.exec(rest!);
    const kinds = call && Object.hasOwn(FAMILY, call[1]!) ? FAMILY[call[1]!]! : undefined;
    if (!call || !kinds) return;
    const name = call[1]!;
    const fields = call[2]!.split(',');
    const args = kinds.map((kind, i) => argument(fields[i] ?? '', kind, place));
    begin(thread, name, args);
    if (call[3] === undefined) pending.set(thread, { name, args });
    else end(thread, name, args, name === 'free' ? 0 : argument(call[3], 'address', place));
  };
}

/** What ltrace prints begins with anything: it is asked last. */
export const ltrace: Importer = {
  name: 'ltrace',
  about: 'the output of ltrace -f -ttt',
  begins: () => true,
  create: createLtraceImport,
};
