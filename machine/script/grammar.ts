/** The commands of a machine script: each one's words, as docs/machine.md lists them. */

/** What a word of a command must be. A change is a size that may be negative, a count a number that may not. */
export type Word =
  | 'resource'
  | 'limit'
  | 'name'
  | 'size'
  | 'change'
  | 'count'
  | 'number'
  | 'path'
  | 'word'
  | 'advice'
  | 'value';

export interface Syntax {
  readonly words: readonly Word[];
  /** Words that may follow in any order: flags, and `key=` followed by a size. */
  readonly options?: readonly string[];
  /** `zram` needs a `ratio=` of 1 or more, which may be a fraction. */
  readonly ratio?: boolean;
  /** Words that may follow in any order, each with one after it. */
  readonly pairs?: readonly string[];
  /** Any number of further words are taken. */
  readonly rest?: boolean;
}

/** Commands of a process: `p1 COMMAND …`. */
export const PROCESS_COMMANDS: Readonly<Record<string, Syntax>> = {
  mmap: {
    words: ['name', 'size'],
    options: ['private', 'shared', 'ro', 'none', 'noreserve', 'populate', 'lock', 'huge', 'shift='],
  },
  filemap: {
    words: ['name', 'path', 'size'],
    options: ['private', 'shared', 'ro', 'none', 'noreserve', 'populate', 'lock', 'fileoff=', 'shift='],
  },
  memfd: {
    words: ['name', 'size'],
    options: ['private', 'shared', 'ro', 'none', 'noreserve', 'populate', 'lock', 'shift='],
  },
  touch: { words: ['name', 'size', 'size'], options: ['read', 'rmw', 'write', 'stride='] },
  munmap: { words: ['name', 'size', 'size'] },
  mlock: { words: ['name', 'size', 'size'] },
  munlock: { words: ['name', 'size', 'size'] },
  msync: { words: ['name', 'size', 'size'] },
  mprotect: { words: ['name', 'size', 'size'], options: ['ro', 'none', 'rw'] },
  mremap: { words: ['name', 'size', 'size', 'size'], rest: true },
  brk: { words: ['change'] },
  madvise: { words: ['name', 'size', 'size', 'advice'] },
  fork: { words: ['name'] },
  run: { words: ['word'], pairs: ['under', 'until'] },
  exit: { words: [], rest: true },
  read: { words: ['path', 'size', 'size'] },
  write: { words: ['path', 'size', 'size'], options: ['sync'] },
  fadvise: { words: ['path', 'size', 'size'], options: ['dontneed', 'willneed', 'random', 'normal'] },
  fsync: { words: ['path'] },
  truncate: { words: ['path', 'size'] },
  unlink: { words: ['path'] },
  mkdir: { words: ['path'] },
  fds: { words: ['count'] },
  pipes: { words: ['count'] },
  sockets: { words: ['count'], options: ['queued='] },
  udp: { words: ['count'] },
  closefds: { words: [] },
  threads: { words: ['count'], options: ['stack='] },
  files: { words: ['path', 'count'] },
  stats: { words: ['path', 'count'] },
  dentries: { words: ['path', 'count'] },
  rlimit: { words: ['resource', 'limit'] },
  oom_score_adj: { words: ['number'] },
  into: { words: ['word'] },
  clear_refs: { words: ['count'] },
};

/** Commands of the machine. */
export const MACHINE_COMMANDS: Readonly<Record<string, Syntax>> = {
  new: { words: ['name'], rest: true },
  kill: { words: ['name'] },
  wait: { words: ['name'], rest: true },
  cgroup: { words: ['word'], rest: true },
  rmcgroup: { words: ['word'] },
  set: { words: ['path', 'value'], rest: true },
  cat: { words: ['path'] },
  mount: { words: ['word', 'path'], rest: true },
  swap: { words: ['word'], options: ['zram', 'fill='], ratio: true },
  sync: { words: [] },
  drop_caches: { words: ['count'] },
  sleep: { words: ['count'] },
  note: { words: [], rest: true },
  sample: { words: ['word'], rest: true },
  msample: { words: ['word'], rest: true },
  tools: { words: ['word'] },
  refresh: { words: ['count'] },
  end: { words: [] },
};
