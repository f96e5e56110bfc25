import { basename, dirname, join } from 'node:path';
import type { Frame } from '../../../sim/contract/event.ts';
import { type ElfFile, readElf } from './elf-file.ts';
import { framesOfPerfMap, readPerfMap } from './perf-map.ts';
import { addressesToLines, demangled, type PlaceInCode } from './tools.ts';

/** A program or library as it was loaded. */
export interface LoadedModule {
  readonly path: string;
  /** In hexadecimal; '' where it had none. */
  readonly buildId: string;
}

/** Finds functions and lines; what was asked once is kept. */
export interface Symbolizer {
  /** By address within the module (as its own symbols have it), the frames there, from the innermost inlined function outward. */
  framesIn(module: LoadedModule, addresses: readonly number[]): Map<number, readonly Frame[]>;
  /** Code without a file, of a process that wrote /tmp/perf-PID.map with the number that it has itself, as engines that compile at run time do when asked. */
  generated(ownPid: number, addresses: readonly number[]): Map<number, Frame>;
  /** What could not be done, in words. */
  readonly notes: ReadonlySet<string>;
}

const DEBUG_FOLDER = '/usr/lib/debug';

export function createSymbolizer(): Symbolizer {
  const known = new Map<string, Map<number, readonly Frame[]>>();
  const notes = new Set<string>();

  function framesIn(module: LoadedModule, addresses: readonly number[]): Map<number, readonly Frame[]> {
    const key = `${module.buildId} ${module.path}`;
    const frames = known.get(key) ?? new Map<number, readonly Frame[]>();
    known.set(key, frames);
    const missing = addresses.filter((address) => !frames.has(address));
    if (missing.length > 0) for (const [address, found] of look(module, missing)) frames.set(address, found);
    return frames;
  }

  function look(module: LoadedModule, addresses: readonly number[]): Map<number, readonly Frame[]> {
    let file = readElf(module.path);
    if (file && module.buildId !== '' && file.buildId !== module.buildId) {
      notes.add(`${module.path}: another file lies there now than the one that ran: its functions are not known`);
      file = undefined;
    }
    const debug = file && debugFile(module, file);
    const symbols = (debug?.file.hasSymbolTable ? debug.file : file)?.functionsAt(addresses) ?? new Map();
    const linesIn = file?.hasLines ? module.path : debug?.file.hasLines ? debug.path : undefined;
    const lines = linesIn === undefined ? undefined : addressesToLines(linesIn, addresses);
    if (linesIn !== undefined && !lines) {
      notes.add(
        'addr2line cannot be run: call sites have functions without lines (on Debian: apt-get install binutils)',
      );
    }
    return framesOf(module, addresses, symbols, lines);
  }

  return {
    framesIn,
    generated: (ownPid, addresses) => framesOfPerfMap(readPerfMap(ownPid), addresses),
    notes,
  };
}

function framesOf(
  { path }: LoadedModule,
  addresses: readonly number[],
  symbols: ReadonlyMap<number, string>,
  lines: ReadonlyMap<number, readonly PlaceInCode[]> | undefined,
): Map<number, readonly Frame[]> {
  const places = new Map<number, readonly PlaceInCode[]>();
  for (const address of addresses) {
    const symbol = symbols.get(address) ?? '';
    const found = lines?.get(address) ?? [];
    // Debug information may know the line of code whose function it does not name.
    const complete = found.map((place) => (place.functionName === '' ? { ...place, functionName: symbol } : place));
    places.set(address, complete.length > 0 ? complete : [{ functionName: symbol, file: '', line: 0 }]);
  }
  const plain = demangled([...places.values()].flatMap((of) => of.map(({ functionName }) => functionName)));
  const frame = ({ functionName, file, line }: PlaceInCode, address: number): Frame => ({
    functionName: plain.get(functionName) ?? (functionName || `0x${address.toString(16)}`),
    file,
    line,
    module: path,
  });
  return new Map([...places].map(([address, of]) => [address, of.map((place) => frame(place, address))]));
}

/** What was stripped may lie in a file of its own, found as gdb does: by the build id, or by name beside the module. */
function debugFile(
  { path }: LoadedModule,
  { buildId, debugLink }: ElfFile,
): { readonly path: string; readonly file: ElfFile } | undefined {
  const folder = dirname(path);
  const candidates = [
    ...(buildId.length > 2 ? [join(DEBUG_FOLDER, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`)] : []),
    ...(debugLink === '' || basename(debugLink) !== debugLink
      ? []
      : [folder, join(folder, '.debug'), join(DEBUG_FOLDER, folder)].map((place) => join(place, debugLink))),
  ];
  for (const candidate of candidates) {
    if (candidate === path) continue;
    const file = readElf(candidate);
    if (file && (buildId === '' || file.buildId === buildId)) return { path: candidate, file };
  }
  return undefined;
}
