/** Where traces lie by their content, as `HASH.htb.gz`: the client puts them there, workers fetch them. */
export interface TraceStore {
  /** For people: without secrets. */
  readonly shown: string;
  has(hash: string): Promise<boolean>;
  /** Takes a file's bytes in, whole or not at all. */
  put(hash: string, file: string): Promise<void>;
  /** Writes the bytes to a file; false where the store has none. */
  get(hash: string, file: string): Promise<boolean>;
}

export const storedName = (hash: string): string => `${hash}.htb.gz`;
