import { BREATH_STEPS } from '../breathing.ts';
import type { BlockId, EventBuilder } from '../builder.ts';
import { createEventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter } from '../workload.ts';
import { baselineBytes, engineBlocks, PHP_PARAMETERS, printLine, stringBytes, ZVAL_GC_BYTES } from './php-process.ts';

const HASHTABLE_BYTES: Readonly<Record<number, number>> = { 5: 72, 7: 56, 8: 56 };
/** PHP 5: the node of the array's list that holds a value, and the pointer to it. */
const BUCKET_BYTES = 72;
const POINTER_BYTES = 8;
/** PHP 7 keeps an array's elements in one block: a bucket each; since 8.2 the value alone where keys are 0, 1, 2 …. */
const PACKED_ELEMENT_BYTES: Readonly<Record<number, number>> = { 7: 32, 8: 16 };
const PACKED_HASH_BYTES = 8;

/**
 * `$a = range(1, 1048576); unset($a);`. `primed` is a string that came and went before: with segments from malloc its
 * free raises glibc's threshold for mappings, so that all further segments come from the heap. They stay there: the line
 * that is printed while the array exists leaves a value in PHP's cache that lies in the newest
 * segment, at the heap's top.
 */
export const phpRange = defineWorkload({
  name: 'php-range',
  about: 'PHP: a large array of integers, made by range() and unset',
  parameters: {
    ...PHP_PARAMETERS,
    elements: numberParameter(1048576, 'elements', 'of the array', { min: 1, max: 2 ** 26 }),
    primed: numberParameter(200000, 'bytes', 'of a string that is made and unset before; 0 for none', {
      min: 0,
      max: 2 ** 30,
    }),
  },
  cpus: () => 1,
  *generate({ php, baseline, elements, primed }) {
    const usage = baselineBytes('php-range', php, baseline);
    const events = createEventBuilder({
      name: `php-range: ${elements} integers, PHP ${php}`,
      rows: php === 5 ? 4 * elements + 8192 : 8192,
    });
    events.requestBegin(0);
    engineBlocks(events, php, usage);
    if (primed > 0) events.efree(0, events.emalloc(0, stringBytes(php, primed)));
    events.sample('start');
    const table = events.emalloc(0, HASHTABLE_BYTES[php]!);
    const unset = php === 5 ? yield* listed(events, elements) : packed(events, php, elements);
    printLine(events, php);
    events.sample('range');
    unset();
    events.efree(0, table);
    events.sample('unset');
    events.requestEnd(0);
    events.sample('request ended');
    return events.finish();
  },
});

/** PHP 5: two blocks an element, and an array of pointers that doubles when it has become too small. */
function* listed(events: EventBuilder, elements: number): Generator<void, () => void> {
  const blocks: BlockId[] = [];
  let pointers: BlockId | undefined;
  let capacity = 8;
  for (let count = 1; count <= elements; count++) {
    if (count % BREATH_STEPS === 0) yield;
    blocks.push(events.emalloc(0, ZVAL_GC_BYTES));
    pointers ??= events.ecalloc(0, capacity, POINTER_BYTES);
    blocks.push(events.emalloc(0, BUCKET_BYTES));
    if (count > capacity) {
      capacity *= 2;
      events.erealloc(0, pointers, capacity * POINTER_BYTES);
    }
  }
  return () => {
    for (const block of blocks) events.efree(0, block);
    events.efree(0, pointers!);
  };
}

/** PHP 7 and 8: one block, of the next power of two of elements. */
function packed(events: EventBuilder, php: number, elements: number): () => void {
  const capacity = 2 ** Math.max(3, 32 - Math.clz32(elements - 1));
  const data = events.emalloc(0, capacity * PACKED_ELEMENT_BYTES[php]! + PACKED_HASH_BYTES);
  return () => events.efree(0, data);
}
