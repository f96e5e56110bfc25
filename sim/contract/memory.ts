import { assert } from './assert.ts';

/**
 * Every byte of simulation state lies in named regions, each a SharedArrayBuffer of fixed size. The operating system
 * commits their pages when they are first written, so a region may be far larger than what a run will use; growable
 * buffers make every access many times slower (docs/decisions/shared-memory.md).
 *
 *   one thread    new Memory()                      reserve() makes the buffers
 *   a worker      new Memory(other.buffers())       reserve() hands out the same buffers, by name
 *   later         snapshot() / restore()            copies the used parts
 */
export class Memory {
  private readonly regions = new Map<string, Region>();
  private readonly shared: SharedBuffers | undefined;
  /** How often `restore` was called: who remembers what it saw has seen another state then. */
  restores = 0;

  constructor(shared?: SharedBuffers) {
    this.shared = shared;
  }

  /** True where the buffers come from another thread, which has initialised them already. */
  get attached(): boolean {
    return this.shared !== undefined;
  }

  /**
   * A region of `bytes` zero bytes. `usedBytes` tells how long the prefix is that a snapshot must copy: it is asked
   * when a snapshot is taken, so it reads a counter that lies in this or another region. Everything beyond must be zero.
   */
  reserve(name: string, bytes: number, usedBytes: () => number = () => bytes): SharedArrayBuffer {
    assert(!this.regions.has(name), `memory region ${name} is reserved twice`);
    let buffer: SharedArrayBuffer;
    if (this.shared) {
      const existing = this.shared[name];
      assert(existing !== undefined, `memory region ${name} is missing from the shared buffers`);
      buffer = existing;
    } else {
      buffer = allocate(bytes);
    }
    this.regions.set(name, { buffer, usedBytes });
    return buffer;
  }

  /** `reserve` seen as 32-bit integers; `usedWords` as there, in words. */
  int32(name: string, words: number, usedWords?: () => number): Int32Array {
    return new Int32Array(this.reserve(name, words * 4, usedWords && (() => usedWords() * 4)));
  }

  /** `reserve` seen as doubles: clocks and byte totals beyond 2^31. */
  float64(name: string, words: number): Float64Array {
    return new Float64Array(this.reserve(name, words * 8));
  }

  buffers(): SharedBuffers {
    return Object.fromEntries([...this.regions].map(([name, region]) => [name, region.buffer]));
  }

  /** Bytes in use of one region. */
  usedBytesOf(name: string): number {
    const region = this.regions.get(name);
    assert(region !== undefined, `there is no memory region ${name}`);
    return Math.min(region.usedBytes(), region.buffer.byteLength);
  }

  /** Buffers of the same lengths with the same bytes: the memory of a process that was forked. */
  copy(): SharedBuffers {
    const parts = [...this.regions].map(([name, { buffer, usedBytes }]) => {
      const copied = allocate(buffer.byteLength);
      new Uint8Array(copied).set(new Uint8Array(buffer, 0, Math.min(usedBytes(), buffer.byteLength)));
      return [name, copied] as const;
    });
    return Object.fromEntries(parts);
  }

  /** Bytes in use over all regions: what the simulation costs its host. */
  usedBytes(): number {
    let sum = 0;
    for (const { buffer, usedBytes } of this.regions.values()) sum += Math.min(usedBytes(), buffer.byteLength);
    return sum;
  }

  snapshot(): Snapshot {
    const parts = new Map<string, Part>();
    for (const [name, { buffer, usedBytes }] of this.regions) {
      const view = new Uint8Array(buffer, 0, Math.min(usedBytes(), buffer.byteLength));
      parts.set(name, {
        bytes: view.length,
        pieces: piecesOf(view).map((piece) => (isZero(piece) ? null : piece.slice())),
      });
    }
    return { parts };
  }

  /** Puts every region back to the bytes it had; the regions must be those that the snapshot was taken of. */
  restore(snapshot: Snapshot): void {
    this.restores++;
    // All lengths first: a counter that says how long a region is may itself be overwritten below.
    const lengths = new Map([...this.regions].map(([name, r]) => [name, Math.min(r.usedBytes(), r.buffer.byteLength)]));
    for (const [name, { buffer }] of this.regions) {
      const part = snapshot.parts.get(name);
      assert(part !== undefined, `the snapshot has no memory region ${name}`);
      const view = new Uint8Array(buffer);
      piecesOf(view.subarray(0, part.bytes)).forEach((piece, i) => {
        const had = part.pieces[i];
        if (had) piece.set(had);
        else if (!isZero(piece)) piece.fill(0);
      });
      const used = lengths.get(name)!;
      if (used > part.bytes) view.fill(0, part.bytes, used);
    }
  }
}

const PIECE_BYTES = 1 << 16;
const ZEROS = new Uint8Array(PIECE_BYTES);

const piecesOf = (view: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.ceil(view.length / PIECE_BYTES) }, (_, i) =>
    view.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
  );

const isZero = (piece: Uint8Array): boolean => Buffer.compare(piece, ZEROS.subarray(0, piece.length)) === 0;

export type SharedBuffers = Readonly<Record<string, SharedArrayBuffer>>;
export interface Snapshot {
  readonly parts: ReadonlyMap<string, Part>;
}

/** What is zero is neither copied nor written: most of a page table always is, and the system commits what is written. */
interface Part {
  readonly bytes: number;
  /** Null where all is zero. */
  readonly pieces: readonly (Uint8Array | null)[];
}

interface Region {
  readonly buffer: SharedArrayBuffer;
  readonly usedBytes: () => number;
}

/** A host with little address space may refuse the whole length: ask, and halve on refusal. */
function allocate(bytes: number): SharedArrayBuffer {
  for (let wanted = bytes; ; wanted = Math.ceil(wanted / 16) * 8) {
    try {
      return new SharedArrayBuffer(wanted);
    } catch (error) {
      if (!(error instanceof RangeError) || wanted < 1 << 20) throw error;
    }
  }
}
