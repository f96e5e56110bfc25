import { closeSync, openSync, readSync } from 'node:fs';
import { lowerBound } from './lower-bound.ts';

interface Section {
  readonly name: string;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

/** What is read of a program or library: a 64-bit, little-endian ELF file (System V ABI, chapters 4 and 5). */
export interface ElfFile {
  /** In hexadecimal; '' without. */
  readonly buildId: string;
  /** Name of the file that has what was stripped (.gnu_debuglink); '' without. */
  readonly debugLink: string;
  readonly hasLines: boolean;
  /** Whether it has all symbols, not just those for the dynamic linker. */
  readonly hasSymbolTable: boolean;
  /** The functions that cover the addresses, by address; those that none covers are missing. */
  functionsAt(addresses: readonly number[]): Map<number, string>;
}

const SYMTAB = 2;
const NOTE = 7;
const NOBITS = 8;
const DYNSYM = 11;
const SECTIONS_MAX = 100_000;

/** Undefined where there is no such file that can be read. */
export function readElf(path: string): ElfFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const bytes = (offset: number, length: number) => {
      const buffer = Buffer.alloc(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
    };
    const sections = sectionsOf(bytes);
    if (!sections) return undefined;
    const named = (name: string) => sections.find((s) => s.name === name && s.type !== NOBITS);
    const contents = (s: Section | undefined) => (s ? bytes(s.offset, s.size) : Buffer.alloc(0));
    const table =
      sections.find(({ type, size }) => type === SYMTAB && size > 0) ?? sections.find(({ type }) => type === DYNSYM);
    const symbols = contents(table);
    const names = contents(table && sections[table.link]);
    return {
      buildId: buildIdIn(sections.filter(({ type }) => type === NOTE).map(contents)),
      debugLink: text(contents(named('.gnu_debuglink')), 0),
      hasLines: (named('.debug_info') ?? named('.zdebug_info')) !== undefined,
      hasSymbolTable: table?.type === SYMTAB,
      functionsAt: (addresses) => functionsAt(addresses, symbols, names),
    };
  } catch {
    return undefined; // a folder, a device, a file that is cut short
  } finally {
    closeSync(fd);
  }
}

function sectionsOf(bytes: (offset: number, length: number) => Buffer): Section[] | undefined {
  const head = bytes(0, 64);
  if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return undefined;
  const offset = Number(head.readBigUInt64LE(40));
  const [size, count, namesAt] = [head.readUInt16LE(58), head.readUInt16LE(60), head.readUInt16LE(62)];
  if (size < 64 || count > SECTIONS_MAX) return undefined;
  const table = bytes(offset, size * count);
  const raw = Array.from({ length: Math.floor(table.length / size) }, (_, i) => {
    const at = i * size;
    return {
      nameAt: table.readUInt32LE(at),
      type: table.readUInt32LE(at + 4),
      offset: Number(table.readBigUInt64LE(at + 24)),
      size: Number(table.readBigUInt64LE(at + 32)),
      link: table.readUInt32LE(at + 40),
    };
  });
  const names = raw[namesAt] ? bytes(raw[namesAt].offset, raw[namesAt].size) : Buffer.alloc(0);
  return raw.map(({ nameAt, ...section }) => ({ ...section, name: text(names, nameAt) }));
}

function text(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  return at >= bytes.length ? '' : bytes.toString('utf8', at, end < 0 ? bytes.length : end);
}

function buildIdIn(notes: readonly Buffer[]): string {
  for (const note of notes) {
    for (let at = 0; at + 16 <= note.length; ) {
      const [nameSize, size, type] = [note.readUInt32LE(at), note.readUInt32LE(at + 4), note.readUInt32LE(at + 8)];
      const value = at + 12 + ((nameSize + 3) & ~3);
      if (type === 3 && text(note, at + 12) === 'GNU') return note.toString('hex', value, value + size);
      at = value + ((size + 3) & ~3);
    }
  }
  return '';
}

/** Functions and what chooses one at run time. */
const FUNCTION_TYPES = new Set([2, 10]);
const BINDING_RANK = [2, 0, 1]; // local, global, weak

/** Several names may stand for one function: a global one before a weak and a local one, then the plainest. */
function functionsAt(addresses: readonly number[], symbols: Buffer, names: Buffer): Map<number, string> {
  const wanted = Float64Array.from(addresses).sort();
  const best = new Map<number, { readonly rank: number; readonly name: string }>();
  for (let at = 0; at + 24 <= symbols.length; at += 24) {
    const info = symbols[at + 4]!;
    if (!FUNCTION_TYPES.has(info & 15) || symbols.readUInt16LE(at + 6) === 0) continue;
    const start = Number(symbols.readBigUInt64LE(at + 8));
    const end = start + Number(symbols.readBigUInt64LE(at + 16));
    let i = lowerBound(wanted, start);
    if (!(wanted[i]! < end)) continue;
    const name = text(names, symbols.readUInt32LE(at));
    const rank = BINDING_RANK[info >> 4] ?? 3;
    for (; i < wanted.length && wanted[i]! < end; i++) {
      const known = best.get(wanted[i]!);
      if (!known || rank < known.rank || (rank === known.rank && isPlainer(name, known.name)))
        best.set(wanted[i]!, { rank, name });
    }
  }
  return new Map([...best].map(([address, { name }]) => [address, name]));
}

function isPlainer(name: string, other: string): boolean {
  const underscores = (s: string) => s.length - s.replace(/^_+/, '').length;
  return underscores(name) - underscores(other) < 0 || (underscores(name) === underscores(other) && name < other);
}
