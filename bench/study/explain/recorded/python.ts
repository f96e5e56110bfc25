import type { EventBuffer } from '../../../../sim/contract/event.ts';

/** What serves the small objects of a program in Python: its own arenas, which malloc does not see, or malloc; null for any other program. */
export type PythonObjects = 'arenas' | 'malloc' | null;

export function pythonObjects({ recorded, labels }: Pick<EventBuffer, 'recorded' | 'labels'>): PythonObjects {
  const files = recorded.mappings.map(({ name }) => name);
  if (!labels.includes('Py_FinalizeEx') && !files.some((name) => /^(lib)?python\d/.test(name))) return null;
  const chosen = recorded.environment.find(([name]) => name === 'PYTHONMALLOC')?.[1];
  return chosen === 'malloc' || chosen === 'malloc_debug' ? 'malloc' : 'arenas';
}

/** Said behind what the recorded process has beside its heap. */
export const ARENAS_SENTENCE =
  'Python keeps its objects of up to 512 bytes there too, in arenas that it maps itself: with PYTHONMALLOC=malloc a recording sees them as blocks.';

/** As a Python program calls it; ctypes is of its standard library. What is looked up in all libraries (None), not in libc's own, a recording sees. */
export const TRIM_IN_PYTHON = 'import ctypes; ctypes.CDLL(None).malloc_trim(0)';
