/** An allocation of a trace in text, with the frames of its call stack, innermost first. */
export interface StackedEvent {
  readonly thread: number;
  readonly size: number;
  readonly frames: readonly {
    readonly name: string;
    readonly file: string;
    readonly line: number;
    readonly module: string;
  }[];
}

/** Reads the allocations of a trace in text that have a call site. */
export function stackedEvents(text: string): StackedEvent[] {
  const frames: StackedEvent['frames'][number][] = [];
  const sites: { readonly parent: number; readonly frame: number }[] = [];
  const events: StackedEvent[] = [];
  for (const line of text.split('\n')) {
    const words = line.split(' ');
    if (line.startsWith('%frame ')) {
      const [name = '', place = '', module = ''] = line.slice(line.indexOf(' ', 7) + 1).split('\t');
      const [, file = '', number = '0'] = /^(.*):(\d+)$/.exec(place) ?? [undefined, place];
      frames[Number(words[1])] = { name, file, line: Number(number), module };
    } else if (line.startsWith('%site ')) {
      sites[Number(words[1])] = { parent: Number(words[2]), frame: Number(words[3]) };
    } else if (/^[mcra] .* @\d+$/.test(line)) {
      const stack = [];
      for (let s = Number(line.slice(line.lastIndexOf('@') + 1)); s > 0; s = sites[s]!.parent)
        stack.push(frames[sites[s]!.frame]!);
      const size = words[0] === 'c' ? Number(words[3]) * Number(words[4]) : Number(words[words[0] === 'a' ? 4 : 3]);
      events.push({ thread: Number(words[1]), size, frames: stack });
    }
  }
  return events;
}

/** `leaf:7 < main:20`: the frames that lie in a file of this name. */
export const ownFrames = ({ frames }: StackedEvent, file: string): string =>
  frames
    .filter((frame) => frame.file.endsWith(`/${file}`))
    .map(({ name, line }) => `${name}:${line}`)
    .join(' < ');
