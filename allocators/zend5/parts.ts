import type { Allocator } from '../../sim/contract/allocator.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Machine } from '../../sim/kernel/machine.ts';
import { createRefusals, type Refusals } from '../zend/limit.ts';
import { type Blocks, createBlocks } from './block.ts';
import { createFreeLists, type FreeLists } from './free-lists.ts';
import { ADDRESS, addressOfUnit, createState, DEBUG, type Geometry, RELEASE, UNIT, type Zend5State } from './layout.ts';
import { createSegments, type Segments } from './segment.ts';
import { createStorage, type StorageType } from './storage.ts';

/** What a heap of PHP 5 is made of. */
export interface Heap5Options {
  readonly memType: StorageType;
  /** Bytes, a power of two. */
  readonly segmentSize: Bytes;
  readonly reserve: Bytes;
  /** What the process holds in the allocator below before its first heap begins. */
  readonly libcBaseline: Bytes;
  /** Bytes; Infinity for none. */
  readonly memoryLimit: Bytes;
  readonly debug: boolean;
}

/** What every part of the heap works with. */
export interface Parts {
  readonly machine: Machine;
  readonly below: Allocator;
  readonly options: Heap5Options;
  readonly geometry: Geometry;
  readonly state: Zend5State;
  readonly lists: FreeLists;
  readonly segments: Segments;
  readonly blocks: Blocks;
  readonly refusals: Refusals;
  /** ZEND_MM_TRUE_SIZE, in units. */
  trueUnits(size: Bytes): number;
  /** The first byte of a block's data. */
  dataOf(block: number): number;
  /** Bytes of a block that are not data. */
  readonly overhead: Bytes;
}

export function createParts(machine: Machine, below: Allocator, options: Heap5Options): Parts {
  const geometry = options.debug ? DEBUG : RELEASE;
  const state = createState(machine, geometry);
  const storage = createStorage(options.memType, below, machine.kernel);
  const lists = createFreeLists(state);
  const segments = createSegments(state, storage);
  const { header, minimum, endMagic } = geometry;
  const headerBytes = header * UNIT;
  const overhead = headerBytes + endMagic;
  const leastBytes = Math.max(0, minimum * UNIT - overhead);
  const records = state.blocks;

  function trueUnits(size: Bytes): number {
    return size < leastBytes ? minimum : Math.ceil((size + overhead) / UNIT);
  }

  const dataOf = (block: number) => addressOfUnit(records[block + ADDRESS]!) + headerBytes;

  return {
    machine,
    below,
    options,
    geometry,
    state,
    lists,
    segments,
    blocks: createBlocks(machine, geometry, state, lists, segments, options.debug),
    refusals: createRefusals(machine, ''),
    trueUnits,
    dataOf,
    overhead,
  };
}
