import type { Frame } from '../../sim/contract/event.ts';
import { sharedCopy, sharedInt32 } from './columns.ts';

/** The call sites of a trace under construction: a tree of call stacks, and the site of each allocating row. */
export interface CallSites {
  /** The next frame; returns its number, from 1. */
  addFrame(frame: Frame): number;
  /** The next site: frame `frame` called from site `parent`, 0 for none. Returns its number, from 1. */
  addSite(parent: number, frame: number): number;
  /** A row's site. */
  set(row: number, site: number): void;
  readonly frameCount: number;
  readonly siteCount: number;
  finish(rows: number): {
    readonly sites: Int32Array | undefined;
    readonly frames: readonly Frame[];
    readonly siteParent: Int32Array;
    readonly siteFrame: Int32Array;
  };
}

export const NO_FRAME: Frame = { functionName: '', file: '', line: 0, module: '' };

export function createCallSites(): CallSites {
  const frames: Frame[] = [NO_FRAME];
  const siteParent: number[] = [0];
  const siteFrame: number[] = [0];
  let sites: Int32Array | undefined;

  function grown(rows: number): Int32Array {
    const longer = sharedInt32(Math.max(4096, rows * 2));
    if (sites) longer.set(sites);
    return longer;
  }

  return {
    addFrame: (frame) => frames.push(frame) - 1,
    addSite(parent, frame) {
      siteParent.push(parent);
      return siteFrame.push(frame) - 1;
    },
    set(row, site) {
      if (!sites || row >= sites.length) sites = grown(row + 1);
      sites[row] = site;
    },
    get frameCount() {
      return frames.length - 1;
    },
    get siteCount() {
      return siteFrame.length - 1;
    },
    finish(rows) {
      if (sites && sites.length < rows) sites = grown(rows);
      return { sites, frames, siteParent: sharedCopy(siteParent), siteFrame: sharedCopy(siteFrame) };
    },
  };
}
