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

/** A fork's child goes on as the thread that forked. */
const isThread = (clone: string): boolean => !clone.includes('SIGCHLD');

/** Reads the log of `strace -f -o`, from the event before the first to the last. */
export function parseStraceLog(log: string): RealSyscall[] {
  const calls: RealSyscall[] = [];
  const threads = new Map<string, number>();
  const unfinished = new Map<string, string>();
  // Numbers of threads whose making has begun, by the thread that makes them: the call may return after the new thread has done its work, in
  // silence, and others have made further ones.
  const promised = new Map<string, number>();
  // Those whose new thread has spoken before the call returned; it may have exited by then.
  const kept = new Set<string>();
  let created = 0;
  let heap: number | undefined;
  let begun = false;
  let event: number | undefined;
  for (const line of log.split('\n')) {
    const space = line.indexOf(' ');
    const id = line.slice(0, space);
    if (!threads.has(id)) {
      // A new thread may speak before the call that made it has returned: the newest one, as the others are done.
      const [maker, number] = [...promised].at(-1) ?? ['', created++];
      if (promised.delete(maker)) kept.add(maker);
      threads.set(id, number);
    }
    let text = line.slice(space).trim();
    if (text.startsWith('+++ ')) {
      threads.delete(id); // the kernel uses the number again
      continue;
    }
    if (text.endsWith(UNFINISHED)) {
      unfinished.set(id, text.slice(0, -UNFINISHED.length));
      if (begun && text.startsWith('clone')) promised.set(id, isThread(text) ? created++ : threads.get(id)!);
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
      if (begun && !kept.delete(id) && !threads.has(result))
        threads.set(result, promised.get(id) ?? (isThread(list) ? created++ : threads.get(id)!));
      promised.delete(id);
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
