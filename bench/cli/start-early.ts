import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Expected } from '../study/parallel/execute-task.ts';

/** A trace of so many bytes takes longer than the start of a thread. */
const LONG_BYTES = 1 << 20;
/** With these the threads are others, or there are none. */
const OTHERWISE = /^(-h|--(help|version|plugin|engine|resume|workers)\b)/;

/**
 * Starts threads of commands that make several runs of a trace before the words of the command are understood: they load their code meanwhile. What
 * they expect is guessed from the words, and wrong guesses are loaded for nothing.
 */
export async function startEarly([command, ...words]: readonly string[]): Promise<void> {
  if (command !== 'compare' && command !== 'explain') return;
  if (availableParallelism() === 1 || words.some((word) => OTHERWISE.test(word)) || !words.some(isLong)) return;
  const { startAhead } = await import('../study/parallel/lanes.ts');
  if (command === 'explain') {
    startAhead(threadsOfExplain(valueBehind(words, ['-a', '--allocator']) ?? 'glibc'));
    return;
  }
  const allocator = valueBehind(words, ['--allocators'])?.split(',', 1)[0];
  if (allocator) startAhead([{ kind: 'run', allocator }]);
}

/** One looks at the machine, the others run it under other settings. */
export function threadsOfExplain(allocator: string): Expected[] {
  const others = Array.from({ length: availableParallelism() - 1 }, () => ({ kind: 'run' as const, allocator }));
  return [{ kind: 'observe', allocator }, ...others];
}

function valueBehind(words: readonly string[], names: readonly string[]): string | undefined {
  for (const [i, word] of words.entries()) {
    const [name, value] = word.split(/=(.*)/s);
    if (names.includes(name!)) return value ?? words[i + 1];
  }
  return undefined;
}

function isLong(word: string): boolean {
  try {
    const stats = statSync(word);
    return stats.isFile() && stats.size >= LONG_BYTES;
  } catch {
    return false;
  }
}
