import { assert } from '../../sim/contract/assert.ts';
import type { Page } from '../../sim/contract/units.ts';
import type { Kernel } from '../../sim/kernel/kernel.ts';
import { RESIDENT } from '../../sim/kernel/residency.ts';

/**
 * What one layer asked the kernel for, in its order, with the answers:
 *
 *   │ row call a b c d e answer │ row call … │
 */
export type KernelCalls = Int32Array;

export const CALL_WORDS = 8;
const CALL = 1;
const FIRST_ARGUMENT = 2;
const ANSWER = 7;

const MMAP = 0;
const MUNMAP = 1;
const MREMAP = 2;
const MADVISE = 3;
/** Writes to pages that are not resident. They have no answer, and neither have reads. */
const TOUCH = 4;
const READ = 5;

const PASSING = 0;
const NOTING = 1;
const ANSWERING = 2;

export type ToldKernel = ReturnType<typeof createToldKernel>;

/** The kernel for one layer of a heap, whose calls can be noted, made again without the layer, and answered from what was noted. */
export function createToldKernel(real: Kernel) {
  const { pages } = real;
  let mode = PASSING;
  let row = 0;
  let words: number[] = [];
  let answers: KernelCalls = new Int32Array(0);
  let next = 0; // among the answers
  let newAnswer = 0;

  function noteRange(call: typeof TOUCH | typeof READ, first: Page, last: Page): void {
    const at = words.length - CALL_WORDS;
    const joins =
      at >= 0 && words[at] === row && words[at + CALL] === call && words[at + FIRST_ARGUMENT + 1] === first - 1;
    if (joins) words[at + FIRST_ARGUMENT + 1] = last;
    else words.push(row, call, first, last, 0, 0, 0, 0);
  }

  /** A call with an answer. */
  function ask(call: number, a: number, b: number, c: number, d: number, e: number, make: () => number): number {
    if (mode === PASSING) return make();
    if (mode === NOTING) {
      const answer = make();
      words.push(row, call, a, b, c, d, e, answer);
      return answer;
    }
    while (answers[next + CALL]! >= TOUCH) next += CALL_WORDS;
    const given = [call, a, b, c, d, e].every((word, i) => answers[next + CALL + i] === word);
    assert(given, 'a layer in a known state asks the kernel for what it asked before');
    const isLast = next + CALL_WORDS === answers.length;
    const answer = isLast ? newAnswer : answers[next + ANSWER]!;
    next += CALL_WORDS;
    if (isLast) {
      mode = NOTING;
      words = [...answers];
      words[words.length - CALL_WORDS + ANSWER] = answer;
    }
    return answer;
  }

  function fault(page: Page): void {
    if (mode === ANSWERING) return; // the page was written when the calls were made
    if (mode === NOTING) noteRange(TOUCH, page, page);
    real.fault(page);
  }

  function touchRange(first: Page, last: Page): void {
    for (let page = first; page <= last; page++) if (pages[page] !== RESIDENT) fault(page);
  }

  function readRange(first: Page, last: Page): void {
    if (mode === ANSWERING) return;
    if (mode === NOTING) noteRange(READ, first, last);
    real.readRange(first, last);
  }

  const kernel: Kernel = {
    ...real,
    mmap: (t, hint, count, prot, flags) =>
      ask(MMAP, t, hint, count, prot, flags, () => real.mmap(t, hint, count, prot, flags)),
    munmap: (t, start, count) => ask(MUNMAP, t, start, count, 0, 0, () => real.munmap(t, start, count)),
    mremap: (t, start, from, to, mayMove, byPage = false) => {
      const flags = (mayMove ? 1 : 0) + (byPage ? 2 : 0);
      return ask(MREMAP, t, start, from, to, flags, () => real.mremap(t, start, from, to, mayMove, byPage));
    },
    madvise: (t, start, count, advice) =>
      ask(MADVISE, t, start, count, advice, 0, () => real.madvise(t, start, count, advice)),
    fault,
    touch: (page) => touchRange(page, page),
    touchRange,
    readRange,
  };

  /** Makes the call at a place of `calls`. @returns whether the answer was the same. */
  function make(calls: KernelCalls, at: number): boolean {
    const a = calls[at + FIRST_ARGUMENT]!;
    const b = calls[at + FIRST_ARGUMENT + 1]!;
    const c = calls[at + FIRST_ARGUMENT + 2]!;
    const d = calls[at + FIRST_ARGUMENT + 3]!;
    const e = calls[at + FIRST_ARGUMENT + 4]!;
    switch (calls[at + CALL]) {
      case MMAP:
        newAnswer = real.mmap(a, b, c, d, e);
        break;
      case MUNMAP:
        newAnswer = real.munmap(a, b, c);
        break;
      case MREMAP:
        newAnswer = real.mremap(a, b, c, d, (e & 1) !== 0, (e & 2) !== 0);
        break;
      case MADVISE:
        newAnswer = real.madvise(a, b, c, d);
        break;
      case TOUCH:
        real.touchRange(a, b);
        return true;
      default:
        real.readRange(a, b);
        return true;
    }
    return newAnswer === calls[at + ANSWER];
  }

  return {
    kernel,
    make,
    /** What is asked from here on is for a row. */
    atRow(number: number): void {
      row = number;
    },
    note(): void {
      mode = NOTING;
      words = [];
    },
    /** Calls up to the one at `last`, which `make` has just made with another answer, are answered as noted; what comes behind it is noted. */
    answer(calls: KernelCalls, last: number): void {
      mode = ANSWERING;
      answers = calls.slice(0, last + CALL_WORDS);
      next = 0;
    },
    get isNoting(): boolean {
      return mode === NOTING;
    },
    pass(): KernelCalls {
      mode = PASSING;
      return Int32Array.from(words);
    },
  };
}
