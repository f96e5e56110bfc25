/** What reclaim remembers of a page that it took. */
export interface Shadow {
  readonly group: number;
  readonly age: number;
  readonly workingset: boolean;
}

const CHUNK_BITS = 9;
const CHUNK = 1 << CHUNK_BITS;

/** Of an object beyond 16 TiB the page is more than a shift takes. */
export const chunkOf = (page: number): number => (page < 2 ** 32 ? page >>> 9 : Math.floor(page / 512));

/** Of 512 pages: twice the age, with the bit of the working set, and one more; 0: nothing. And the evicting groups. */
interface Chunk {
  readonly words: Float64Array;
  readonly groups: Uint32Array;
}

/** Shadows by page of an object: in typed arrays, as a file of gigabytes leaves millions of them. */
export class ShadowTable {
  private readonly chunks = new Map<number, Chunk>();

  put(page: number, { group, age, workingset }: Shadow): void {
    const key = chunkOf(page);
    let chunk = this.chunks.get(key);
    if (!chunk) {
      chunk = { words: new Float64Array(CHUNK), groups: new Uint32Array(CHUNK) };
      this.chunks.set(key, chunk);
    }
    const at = page % CHUNK;
    chunk.words[at] = 2 * age + (workingset ? 1 : 0) + 1;
    chunk.groups[at] = group;
  }

  /** It is there no longer then. */
  take(page: number): Shadow | undefined {
    const chunk = this.chunks.get(chunkOf(page));
    if (!chunk) return undefined;
    const at = page % CHUNK;
    const word = chunk.words[at]! - 1;
    if (word < 0) return undefined;
    chunk.words[at] = 0;
    return { group: chunk.groups[at]!, age: Math.floor(word / 2), workingset: word % 2 === 1 };
  }
}
