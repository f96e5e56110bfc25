import { BREATH_STEPS } from '../breathing.ts';
import { createEventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter } from '../workload.ts';
import { baselineBytes, engineBlocks, PHP_PARAMETERS, stringBytes } from './php-process.ts';

/** Bytes that a mapped block of libc needs for its own head. */
const LIBC_HEAD = 32;

/**
 * `$foo .= "a"` without end: the string is resized for every character. A resize to the same rounded length is left out,
 * since it changes nothing.
 *
 * The published listing's process had its next free place 212992 bytes above a multiple of 2 MiB, because libraries lie
 * there; `libraries` is what they take of the address space, in one mapping by malloc.
 */
export const phpConcat = defineWorkload({
  name: 'php-concat',
  about: 'PHP: a string that grows character by character, as in a loop that never ends',
  parameters: {
    ...PHP_PARAMETERS,
    bytes: numberParameter(5505024, 'bytes', 'that the string reaches', { min: 1, max: 2 ** 31 }),
    step: numberParameter(8, 'characters', 'that an assignment appends', { min: 1, max: 2 ** 20 }),
    libraries: numberParameter(1884160, 'bytes', 'mapped by others beside the heap, a multiple of 4096', {
      min: 0,
      max: 2 ** 30,
    }),
  },
  cpus: () => 1,
  *generate({ php, baseline, bytes, step, libraries }) {
    const usage = baselineBytes('php-concat', php, baseline);
    const events = createEventBuilder({
      name: `php-concat: a string of ${bytes} bytes, PHP ${php}`,
      rows: Math.ceil(bytes / step) + 8192,
    });
    events.requestBegin(0);
    engineBlocks(events, php, usage);
    if (libraries > LIBC_HEAD) events.malloc(0, libraries - LIBC_HEAD);
    events.sample('start');
    const string = events.emalloc(0, stringBytes(php, step));
    let size = stringBytes(php, step);
    for (let length = 2 * step; length <= bytes; length += step) {
      const next = stringBytes(php, length);
      if (next !== size) events.erealloc(0, string, next);
      size = next;
      if (length % (step * BREATH_STEPS) === 0) yield;
    }
    events.sample('end');
    events.requestEnd(0);
    events.sample('request ended');
    return events.finish();
  },
});
