import { createHash } from 'node:crypto';
import type { Allocator } from '../../sim/contract/allocator.ts';
import { assert } from '../../sim/contract/assert.ts';
import type { SharedBuffers } from '../../sim/contract/memory.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { Kernel } from '../../sim/kernel/kernel.ts';
import { type Layout, layoutOf } from './layout.ts';

/** In-band links of Zend's free blocks: between requests there are none, and what is left of them decides nothing. */
const STALE_AT_REST = 'zend.cells';
const PAGES = 'kernel.pages';
const BLOCK = 512;

/** The nonzero blocks of regions of simulation state. */
export type RegionParts = ReadonlyMap<string, { readonly places: Int32Array; readonly bytes: Uint8Array }>;

/** A heap as it was. */
export interface HeapImage {
  readonly layout: Layout;
  readonly parts: RegionParts;
  readonly sizeBytes: number;
}

let words = new Int32Array(1 << 16);

/**
 * What decides the future of a heap, as 256 bits; undefined where the allocator is not at rest. `threads` are those that are parked in
 * the process; `keepsLive` as in the allocator's contract.
 */
export function stateDigest(
  allocator: Allocator,
  kernel: Kernel,
  layout: Layout,
  threads: Uint8Array,
  buffers: SharedBuffers,
  keepsLive: boolean,
): string | undefined {
  let count = 0;
  const sink = (word: number): void => {
    if (count === words.length) {
      const larger = new Int32Array(words.length * 2);
      larger.set(words);
      words = larger;
    }
    words[count++] = word;
  };
  if (!allocator.decidingState?.(sink, keepsLive)) return undefined;
  sink(kernel.brkEnd());
  for (const thread of threads) sink(thread);
  const { vmas } = kernel;
  for (let i = 0; i < vmas.count(); i++) sink(vmas.origin(i));
  const hash = createHash('sha256');
  hash.update(new Uint8Array(words.buffer, 0, count * 4));
  hash.update(layout);
  if (kernel.residency.hugePages() > 0) hash.update(new Uint8Array(buffers['kernel.hugePages']!));
  return hash.digest('base64');
}

/** Copies a heap that is at rest. */
export function takeImage(buffers: SharedBuffers, usedBytes: (name: string) => number, kernel: Kernel): HeapImage {
  const parts = takeParts(buffers, usedBytes);
  const layout = layoutOf(kernel);
  return { layout, parts, sizeBytes: sizeOfParts(parts) + layout.byteLength };
}

/** Copies regions of a heap that is at rest. */
export function takeParts(buffers: SharedBuffers, usedBytes: (name: string) => number): RegionParts {
  const parts = new Map<string, { places: Int32Array; bytes: Uint8Array }>();
  for (const [name, buffer] of Object.entries(buffers)) {
    if (name === PAGES || name === STALE_AT_REST) continue;
    const used = Math.min(Math.ceil(usedBytes(name) / BLOCK) * BLOCK, buffer.byteLength);
    const all = new Uint8Array(buffer, 0, used);
    const places: number[] = [];
    for (let at = 0; at < used; at += BLOCK) if (!isZero(buffer, at, Math.min(BLOCK, used - at))) places.push(at);
    const bytes = new Uint8Array(places.length * BLOCK);
    for (const [i, at] of places.entries()) bytes.set(all.subarray(at, Math.min(at + BLOCK, used)), i * BLOCK);
    parts.set(name, { places: Int32Array.from(places), bytes });
  }
  return parts;
}

export function sizeOfParts(parts: RegionParts): Bytes {
  return [...parts.values()].reduce((sum, { places, bytes }) => sum + bytes.length + places.byteLength, 0);
}

function isZero(buffer: SharedArrayBuffer, at: number, length: number): boolean {
  if (length % 8 !== 0) return new Uint8Array(buffer, at, length).every((byte) => byte === 0);
  const view = new Float64Array(buffer, at, length / 8);
  // NaN and -0 are not equal to nothing that was never written.
  for (let i = 0; i < view.length; i++) if (view[i] !== 0 || Object.is(view[i], -0)) return false;
  return true;
}

/** Puts a heap back to what it was. */
export function putImage(
  image: HeapImage,
  buffers: SharedBuffers,
  usedBytes: (name: string) => number,
  kernel: Kernel,
): void {
  for (let i = 0; i < kernel.vmas.count(); i++) kernel.pages.fill(0, kernel.vmas.start(i), kernel.vmas.end(i));
  putParts(image.parts, buffers, usedBytes);
  const { layout } = image;
  const at = 1 + 3 * layout[0]!;
  for (let i = 0; i < layout[at]!; i++) {
    kernel.pages.fill(layout[at + 3 + 3 * i]!, layout[at + 1 + 3 * i]!, layout[at + 2 + 3 * i]!);
  }
}

/** Puts regions back to what they were. */
export function putParts(parts: RegionParts, buffers: SharedBuffers, usedBytes: (name: string) => number): void {
  // All lengths first: a counter that says how long a region is may itself be overwritten below.
  const lengths = new Map(Object.keys(buffers).map((name) => [name, usedBytes(name)]));
  for (const [name, buffer] of Object.entries(buffers)) {
    if (name === PAGES || name === STALE_AT_REST) continue;
    const part = parts.get(name);
    assert(part !== undefined, `the image has no memory region ${name}`);
    const used = Math.min(Math.ceil(lengths.get(name)! / BLOCK) * BLOCK, buffer.byteLength);
    const view = new Uint8Array(buffer);
    view.fill(0, 0, used);
    part.places.forEach((at, i) => {
      view.set(part.bytes.subarray(i * BLOCK, i * BLOCK + Math.min(BLOCK, view.length - at)), at);
    });
  }
}
