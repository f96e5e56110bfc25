import { normalize } from 'node:path';
import { UserError } from '../../sim/contract/assert.ts';
import type { Frame } from '../../sim/contract/event.ts';
import type { EventBuilder } from '../builder.ts';
import type { LogRecord } from './log.ts';
import type { LoadedModule, Symbolizer } from './symbols/symbolizer.ts';

/** The call sites of a log: a tree for each of its parts, since each process numbers its own. */
export interface RecordedSites {
  beginPart(ownPid: number): void;
  /** A piece of the text of a MODULE. */
  module(r: LogRecord): void;
  /** A piece of the text of a PLACE. */
  place(r: LogRecord): void;
  /** A NODE. */
  node(r: LogRecord): void;
  readonly count: number;
  /** Names all that was noted; then sites can be had. Modules whose functions are not known count with their nodes. */
  symbolize(symbolizer: Symbolizer): void;
  /** The site of the builder's trace for a number of the part, 0 for none. */
  siteIn(part: number, number: number, builder: EventBuilder): number;
}

interface LoadedRange {
  readonly start: number;
  readonly end: number;
  readonly base: number;
  readonly module: LoadedModule;
}

interface Part {
  readonly ownPid: number;
  /** By number of the site, from 1. */
  readonly callers: number[];
  readonly addresses: number[];
  /** -1: code without a file. */
  readonly ranges: number[];
  /** Modules as they came; the last one that has an address is meant. */
  readonly loaded: number[];
  /** Lines of scripts by number. */
  readonly scripts: Map<number, Frame>;
  /** Sites of the trace, -1 where they have not been asked for. */
  sites: Int32Array;
}

/** A recorder numbers its call sites one after the other; of a log that has lost records so many may be missing. */
const SITES_MISSING_MAX = 2 ** 16;
/** As in native/unwind.h: in place of what lies beyond the deepest stack that is followed. */
const MORE_FRAMES = 1;
/** As in native/script.h: in place of an address, a line of a script. */
const SCRIPT_PLACES = 2 ** 47;
const frameNamed = (functionName: string): Frame => ({ functionName, file: '', line: 0, module: '' });
const DEEPER = frameNamed('(more callers)');
const GENERATED = frameNamed('(generated code)');

export function createRecordedSites(): RecordedSites {
  const parts: Part[] = [];
  const ranges: LoadedRange[] = [];
  const modulePieces = new Map<number, string>();
  const placePieces = new Map<number, string>();
  const named = new Map<number, Map<number, readonly Frame[]>>();
  const generated = new Map<number, Map<number, Frame>>();
  const frameNumbers = new Map<string, number>();
  const siteNumbers = new Map<number, Map<number, number>>();
  let count = 0;

  const current = () => parts[parts.length - 1]!;

  /** The whole text, of which this is the last piece. */
  function complete(pieces: Map<number, string>, r: LogRecord): string | undefined {
    const number = Math.floor(r.address / 2);
    const text = (pieces.get(number) ?? '') + r.text;
    pieces.set(number, text);
    if (r.address % 2 === 0) return undefined;
    pieces.delete(number);
    return text;
  }

  function place(r: LogRecord): void {
    const text = complete(placePieces, r);
    if (text === undefined) return;
    const [, line = '0', file = ''] = /^(\d+) (.*)$/s.exec(text) ?? [];
    const path = Buffer.from(file, 'latin1').toString('utf8');
    current().scripts.set(Math.floor(r.address / 2), {
      functionName: 'php',
      file: path,
      line: Number(line),
      module: '',
    });
  }

  function module(r: LogRecord): void {
    const text = complete(modulePieces, r);
    if (text === undefined) return;
    const [, start = '', end = '', base = '', id = '', path = ''] = /^(\S+) (\S+) (\S+) (\S+) (.*)$/s.exec(text) ?? [];
    current().loaded.push(ranges.length);
    ranges.push({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      base: Number.parseInt(base, 16),
      module: { path: normalize(Buffer.from(path, 'latin1').toString('utf8')), buildId: id === '-' ? '' : id },
    });
  }

  function node(r: LogRecord): void {
    const part = current();
    const number = r.address;
    if (++count + SITES_MISSING_MAX < number) {
      throw new UserError(`found call site ${number} as the recording's number ${count}, expected them in their order`);
    }
    part.callers[number] = r.b;
    part.addresses[number] = r.a;
    part.ranges[number] = part.loaded.findLast((i) => r.a >= ranges[i]!.start && r.a < ranges[i]!.end) ?? -1;
  }

  function symbolize(symbolizer: Symbolizer): void {
    const wanted = new Map<number, Set<number>>();
    for (const part of parts) {
      const unnamed: number[] = [];
      part.addresses.forEach((address, number) => {
        const range = part.ranges[number]!;
        if (range >= 0) wanted.set(range, (wanted.get(range) ?? new Set()).add(address - ranges[range]!.base));
        else if (address !== MORE_FRAMES && address < SCRIPT_PLACES) unnamed.push(address);
      });
      if (unnamed.length > 0) generated.set(part.ownPid, symbolizer.generated(part.ownPid, unnamed));
      part.sites = new Int32Array(part.addresses.length).fill(-1);
    }
    for (const [range, addresses] of wanted) {
      const sorted = [...addresses].sort((one, other) => one - other);
      named.set(range, symbolizer.framesIn(ranges[range]!.module, sorted));
    }
  }

  function framesOf(part: Part, number: number): readonly Frame[] {
    const address = part.addresses[number]!;
    const range = part.ranges[number]!;
    if (range >= 0) return named.get(range)!.get(address - ranges[range]!.base)!;
    if (address >= SCRIPT_PLACES) return [part.scripts.get(address - SCRIPT_PLACES) ?? GENERATED];
    return [address === MORE_FRAMES ? DEEPER : (generated.get(part.ownPid)?.get(address) ?? GENERATED)];
  }

  /** Equal frames, and equal places of the tree, are one. */
  function addSite(caller: number, frame: Frame, builder: EventBuilder): number {
    const key = `${frame.functionName}\t${frame.file}\t${frame.line}\t${frame.module}`;
    let frameNumber = frameNumbers.get(key);
    if (frameNumber === undefined) frameNumbers.set(key, (frameNumber = builder.addFrame(frame)));
    let below = siteNumbers.get(caller);
    if (!below) siteNumbers.set(caller, (below = new Map()));
    let site = below.get(frameNumber);
    if (site === undefined) below.set(frameNumber, (site = builder.addSite(caller, frameNumber)));
    return site;
  }

  function siteIn(index: number, number: number, builder: EventBuilder): number {
    const part = parts[index]!;
    const known = part.sites[number] ?? -1;
    if (known >= 0) return known;
    if (number === 0 || part.addresses[number] === undefined) return 0;
    const chain: number[] = [];
    let at = number;
    for (; at > 0 && part.sites[at] === -1; at = part.callers[at] ?? 0) chain.push(at);
    let site = at > 0 ? part.sites[at]! : 0;
    for (const next of chain.reverse()) {
      for (const frame of [...framesOf(part, next)].reverse()) site = addSite(site, frame, builder);
      part.sites[next] = site;
    }
    return site;
  }

  return {
    beginPart(ownPid) {
      parts.push({
        ownPid,
        callers: [],
        addresses: [],
        ranges: [],
        loaded: [],
        scripts: new Map(),
        sites: new Int32Array(0),
      });
      modulePieces.clear();
      placePieces.clear();
    },
    module,
    place,
    node,
    get count() {
      return count;
    },
    symbolize,
    siteIn,
  };
}
