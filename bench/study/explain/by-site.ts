import { RANGE_CACHED, RANGE_FREE } from '../../../sim/contract/allocator.ts';
import { type EventBuffer, OP_EFREE, OP_FREE, OP_MASK, OP_REALLOC } from '../../../sim/contract/event.ts';
import { type Bytes, PAGE_BYTES } from '../../../sim/contract/units.ts';
import { isAllocating } from '../../../sim/replay/placements.ts';
import type { StackBytes } from '../../report/sites/stacks.ts';
import { isResident } from '../../run/areas.ts';
import { Session, type SessionOptions } from '../../run/session.ts';
import { liveBlocks } from './live-blocks.ts';
import type { PinningGroup } from './pinning.ts';

/** The call sites of a trace, as its reader gives them (format 2). */
interface CallSites {
  /** By row, the site of an allocating event; 0 where it is not known. */
  readonly sites: Int32Array;
  readonly frames: readonly { readonly functionName: string; readonly file: string; readonly line: number }[];
  /** By site, from 1: who called it (0: nobody), and its frame. */
  readonly siteParent: Int32Array;
  readonly siteFrame: Int32Array;
}

const UNKNOWN = '(unknown)';

export function callSitesOf(events: EventBuffer): CallSites | undefined {
  const trace = events as EventBuffer & Partial<CallSites>;
  return trace.sites ? (trace as EventBuffer & CallSites) : undefined;
}

/**
 * Resident bytes by call stack at row `end`, the most first; undefined for a trace without call sites. Frees are followed
 * one by one to know whose block was the last on a page.
 */
export function bytesBySite(
  options: SessionOptions,
  end: number,
  pinning: readonly PinningGroup[],
): StackBytes[] | undefined {
  const trace = callSitesOf(options.events);
  if (!trace) return undefined;
  const session = new Session({ ...options, mode: 'lockstep', lastSampleOnly: true });
  const lastFreed = runWatchingFrees(session, options.events, trace.sites, end);
  const sites = trace.siteParent.length;
  const held = new Float64Array(sites);
  const pinned = new Float64Array(sites);
  const freed = new Float64Array(sites);
  const { pages } = session.assembled.machine.kernel;
  const eachPage = (start: number, length: Bytes, visit: (page: number, bytes: Bytes) => void) => {
    for (let at = start; at < start + length; ) {
      const page = Math.floor(at / PAGE_BYTES);
      const next = Math.min(start + length, (page + 1) * PAGE_BYTES);
      if (isResident(pages, page)) visit(page, next - at);
      at = next;
    }
  };
  for (const { address, usableBytes, event } of liveBlocks(session, options.events).blocks) {
    const site = trace.sites[event]!;
    eachPage(address, usableBytes, (_page, bytes) => {
      held[site]! += bytes;
    });
  }
  session.assembled.top.walk((start, length, kind) => {
    if (kind !== RANGE_FREE && kind !== RANGE_CACHED) return;
    eachPage(start, length, (page, bytes) => {
      freed[lastFreed[page]!]! += bytes;
    });
  });
  for (const { blocks, returnsBytes, ownBytes } of pinning) {
    const more = Math.max(0, returnsBytes - ownBytes);
    for (const b of blocks) pinned[trace.sites[b.event]!]! += more / blocks.length;
  }
  return merged(trace, held, pinned, freed);
}

/** By page, the site of the block on it that was freed last; 0 where there was none. */
function runWatchingFrees(session: Session, events: EventBuffer, sites: Int32Array, end: number): Int32Array {
  const { objects, allocator, request, machine } = session.assembled;
  const lastFreed = new Int32Array(machine.kernel.pages.length);
  const siteOf = new Int32Array(events.objectSlots);
  for (let row = 0; row < end && !session.done; row++) {
    const op = events.head[row]! & OP_MASK;
    const slot = events.slot[row]!;
    if (op === OP_FREE || op === OP_EFREE || op === OP_REALLOC) {
      session.advance(row);
      const handle = objects.handles[slot]!;
      const owner = op === OP_EFREE ? (request ?? allocator) : allocator;
      if (handle !== 0) {
        const start = owner.addressOf(handle);
        const last = Math.floor((start + Math.max(1, owner.usableSize(handle)) - 1) / PAGE_BYTES);
        lastFreed.fill(siteOf[slot]!, Math.floor(start / PAGE_BYTES), last + 1);
      }
    }
    if (isAllocating(op)) siteOf[slot] = sites[row]!;
  }
  session.advance(end);
  return lastFreed;
}

function merged(trace: CallSites, held: Float64Array, pinned: Float64Array, freed: Float64Array): StackBytes[] {
  const stacks = new Map<string, { stack: string[]; held: number; pinned: number; freed: number }>();
  for (let site = 0; site < held.length; site++) {
    if (held[site] === 0 && pinned[site] === 0 && freed[site] === 0) continue;
    const stack = stackOf(trace, site);
    const key = stack.join('\n');
    const entry = stacks.get(key) ?? { stack, held: 0, pinned: 0, freed: 0 };
    entry.held += held[site]!;
    entry.pinned += pinned[site]!;
    entry.freed += freed[site]!;
    stacks.set(key, entry);
  }
  return [...stacks.values()].sort((x, y) => y.held + y.freed - (x.held + x.freed));
}

function stackOf({ frames, siteFrame, siteParent }: CallSites, site: number): string[] {
  const stack: string[] = [];
  for (let s = site; s !== 0; s = siteParent[s]!) {
    const frame = frames[siteFrame[s]!];
    if (!frame) continue;
    const place = frame.file ? ` (${frame.file}${frame.line ? `:${frame.line}` : ''})` : '';
    stack.unshift(`${frame.functionName || UNKNOWN}${place}`);
  }
  return stack.length > 0 ? stack : [UNKNOWN];
}
