import { UserError } from '../../sim/contract/assert.ts';
import type { AddressTrace } from './address-trace.ts';
import { exactNumber } from './numbers.ts';

/**
 * The tables of call stacks in the data of heaptrack. All numbers are hexadecimal, indices begin with 1, and 0 is none.
 *
 *   s 9 /tmp/ht/a                         a string, behind its length (not in the oldest versions)
 *   x 9 /tmp/ht/a                         raw: the program
 *   m 1f libc.so.6 7f0d0669a000 0 25388   raw: a module, its address, then offset and length of each of its segments
 *   m 1 -                                 raw: the modules are listed anew
 *   i 7fea1bb0e304 4 10 11 168            interpreted: an address: module, function, file, line; then of each function that it is
 *                                         inlined in, from the inside, function, file, line
 *   t 7f0d064a57b9 3                      a node of the tree: raw an address, interpreted the index of one; and who called it
 */
export interface HeaptrackStacks {
  /** Whether the line belongs to the tables. */
  take(mode: string, rest: string, place: string): boolean;
  /** The call site of the node with this index, 0 for none. */
  siteOf(trace: number): number;
}

/** A piece of a module that is mapped. Those of a process do not overlap. */
interface Segment {
  readonly name: string;
  readonly base: number;
  readonly from: number;
  readonly to: number;
}

/** Mappings that a process of Linux has at most (vm.max_map_count). */
const SEGMENTS_MAX = 65_530;
/** Call sites for which there is memory: large programs have some hundred thousand. */
const SITES_MAX = 2 ** 22;

export function createHeaptrackStacks(trace: AddressTrace): HeaptrackStacks {
  const strings: string[] = [''];
  /** By index of an interpreted address: its frames, from the inside. */
  const addresses: (readonly number[])[] = [[]];
  /** By node: its call site. */
  const nodes: number[] = [0];
  const rawFrames = new Map<number, number>();
  /** By address. */
  let segments: Segment[] = [];
  let program = '';
  let sites = 0;

  const number = (text: string | undefined, what: string, place: string) =>
    exactNumber(text ?? '', { place, what, radix: 16 });

  function listed<T>(list: readonly T[], index: number, what: string, place: string): T {
    const item = list[index];
    if (item === undefined) throw new UserError(`${place}: found ${what} ${index}, expected one of ${list.length - 1}`);
    return item;
  }

  /** A text behind its length; the length may be missing. */
  function lengthened(rest: string): string {
    const match = /^([0-9a-f]{1,8}) (.*)$/s.exec(rest);
    return match && Buffer.byteLength(match[2]!) === Number.parseInt(match[1]!, 16) ? match[2]! : rest;
  }

  function addModule(rest: string, place: string): void {
    const match = /^([0-9a-f]{1,8}) (.*)$/s.exec(rest);
    const bytes = Buffer.from(match ? match[2]! : rest);
    const length = match ? Number.parseInt(match[1]!, 16) : Math.max(0, bytes.indexOf(' '));
    const name = bytes.subarray(0, length).toString();
    if (name === '-' && bytes.length <= length) {
      segments = [];
      rawFrames.clear();
      return;
    }
    const numbers = bytes
      .subarray(length)
      .toString()
      .trim()
      .split(' ')
      .map((text) => number(text, 'an address', place));
    const [base = 0] = numbers;
    for (let i = 1; i + 1 < numbers.length; i += 2) {
      const from = base + numbers[i]!;
      const to = from + numbers[i + 1]!;
      if (to > from) segments.splice(segmentsUpTo(from), 0, { name: name === 'x' ? program : name, base, from, to });
    }
    if (segments.length > SEGMENTS_MAX)
      throw new UserError(
        `${place}: found more than ${SEGMENTS_MAX} segments of modules, expected those of one process`,
      );
  }

  /** How many segments begin at the address or below. */
  function segmentsUpTo(address: number): number {
    let [low, high] = [0, segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (segments[middle]!.from <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Raw data know addresses alone: what is shown is where it lies in its module, as addr2line takes it. */
  function rawFrame(address: number): number {
    let frame = rawFrames.get(address);
    if (frame === undefined) {
      const segment = segments[segmentsUpTo(address) - 1];
      const module = segment && address < segment.to ? segment : undefined;
      const functionName = `0x${(address - (module?.base ?? 0)).toString(16)}`;
      frame = trace.addFrame({ functionName, file: '', line: 0, module: module?.name ?? '' });
      rawFrames.set(address, frame);
    }
    return frame;
  }

  function addAddress(rest: string, place: string): void {
    const fields = rest.split(' ').map((text) => number(text, 'an index', place));
    const module = listed(strings, fields[1] ?? 0, 'module', place);
    const frames: number[] = [];
    for (let i = 2; i < fields.length || i === 2; i += 3) {
      const named = listed(strings, fields[i] ?? 0, 'function', place);
      const file = listed(strings, fields[i + 1] ?? 0, 'file', place);
      const functionName = named || `0x${fields[0]!.toString(16)}`;
      frames.push(trace.addFrame({ functionName, file, line: file === '' ? 0 : (fields[i + 2] ?? 0), module }));
    }
    addresses.push(frames);
  }

  function addNode(rest: string, place: string): void {
    const [address, caller] = rest.split(' ');
    const parent = number(caller, 'a caller', place);
    let site = listed(nodes, parent, 'caller', place);
    const value = number(address, 'an address', place);
    const frames = addresses.length > 1 ? listed(addresses, value, 'address', place) : [rawFrame(value)];
    sites += frames.length;
    if (sites > SITES_MAX)
      throw new UserError(`${place}: found more than ${SITES_MAX} call sites, expected those of one program`);
    for (let i = frames.length - 1; i >= 0; i--) site = trace.addSite(site, frames[i]!);
    nodes.push(site);
  }

  function take(mode: string, rest: string, place: string): boolean {
    if (mode === 's') strings.push(lengthened(rest));
    else if (mode === 'x') program = lengthened(rest);
    else if (mode === 'm') addModule(rest, place);
    else if (mode === 'i') addAddress(rest, place);
    else if (mode === 't') addNode(rest, place);
    else return false;
    return true;
  }

  return {
    take,
    siteOf(index) {
      if (index >= nodes.length) trace.odd('call stacks that were not listed');
      return nodes[index] ?? 0;
    },
  };
}
