/** A memory system call in the words of the simulated kernel: `mmap NULL 135168 … = fence-135168`. */
export interface RealSyscall {
  /** Threads in order of their creation, from 0. */
  readonly thread: number;
  readonly text: string;
  /** With marks: the event that made it. */
  readonly event: number | undefined;
}

const FENCE = 0x7f0000000000;
/** Longer than any heap, shorter than the way from a heap to the mmap area. */
const HEAP_BYTES_MAX = 2 ** 36;
const MARK = /^write\(-1, "htrace:(\w+)"/;
const UNFINISHED = ' <unfinished ...>';

/** Reads the log of `strace -f -o`, from the event before the first to the last. */
export function parseStraceLog(log: string): RealSyscall[] {
  const calls: RealSyscall[] = [];
  const threads = new Map<string, number>();
  const unfinished = new Map<string, string>();
  let heap: number | undefined;
  let begun = false;
  let event: number | undefined;
  for (const line of log.split('\n')) {
    const space = line.indexOf(' ');
    const id = line.slice(0, space);
    if (!threads.has(id)) threads.set(id, threads.size);
    let text = line.slice(space).trim();
    if (text.endsWith(UNFINISHED)) {
      // A new thread may speak before the call that made it has returned; both orders give it the next number.
      unfinished.set(id, text.slice(0, -UNFINISHED.length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text);
    if (resumed) text = `${unfinished.get(id) ?? ''}${resumed[1]}`;
    const mark = MARK.exec(text);
    if (mark) {
      if (mark[1] === 'end') break;
      if (mark[1] === 'begin') begun = true;
      else event = Number(mark[1]);
      continue;
    }
    const call = /^(\w+)\((.*)\)\s+= (\S+)/.exec(text);
    if (!call) continue;
    const [, name, list, result] = call as unknown as [string, string, string, string];
    if (name.startsWith('clone')) {
      if (begun && !threads.has(result)) threads.set(result, threads.size);
      continue;
    }
    const args = list.split(', ');
    // Nobody has moved the break before the first event: whoever asks is told where the heap will start.
    if (name === 'brk' && args[0] === 'NULL' && !begun) heap = Number(result);
    if (!begun || name === 'write') continue;
    heap ??= Number(result);
    const shown = (name === 'mmap' ? args.slice(0, 4) : args).map((arg) => relative(arg, heap!));
    if (result.startsWith('0x')) shown.push('=', relative(result, heap));
    else if (result !== '0') shown.push('=', result);
    calls.push({ thread: threads.get(id)!, text: [name, ...shown].join(' '), event });
  }
  return calls;
}

/** `heap+N` or `fence-N` for an address; anything else as it stands. */
function relative(argument: string, heap: number): string {
  if (!/^0x[0-9a-f]+$/.test(argument)) return argument;
  const address = Number(argument);
  if (address >= heap && address < heap + HEAP_BYTES_MAX) return `heap+${address - heap}`;
  return address < FENCE ? `fence-${FENCE - address}` : argument;
}
