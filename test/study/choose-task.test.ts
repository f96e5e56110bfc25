import { expect, test } from 'vitest';
import { chooseTask, type KeptShapes } from '../../bench/study/parallel/choose-task.ts';

const NOTHING: KeptShapes = { idle: [], atWork: [], mayGrow: true };

/** `*` in front of a long one, `**` of one too large to wait. */
const chosen = (waiting: string[], kept: Partial<KeptShapes>) =>
  waiting[
    chooseTask(
      waiting.map((name) => ({
        shape: name.replaceAll('*', '') || undefined,
        isLong: name.startsWith('*'),
        isSmall: !name.startsWith('**'),
      })),
      { ...NOTHING, ...kept },
    )
  ];

test.each([
  ['the first of equal ones', ['*a', '*b'], {}, '*a'],
  [
    'a long one whose machine is still to be made, before one for which a machine waits',
    ['*a', '*b'],
    { idle: ['a'] },
    '*b',
  ],
  ['not where it would take the machine of one that waits', ['*a', '*b'], { idle: ['a'], mayGrow: false }, '*a'],
  ['nor where none may be started for it', ['**a', '**b'], { idle: ['a'] }, '**a'],
  ['but where nobody waits for another machine', ['*a', '*b'], { idle: ['a', 'c'], mayGrow: false }, '*b'],
  ['one that another thread would make a second machine for comes last', ['*a', '*b'], { atWork: ['a'] }, '*b'],
  ['unless a second one waits', ['*a', '*b'], { atWork: ['a'], idle: ['a', 'b'] }, '*a'],
  ['a run in file order before long ones', ['*a', 'b'], {}, 'b'],
  ['of several one whose machine waits', ['a', 'b'], { idle: ['b'] }, 'b'],
  ['a run without a machine that others could use', ['*a', ''], { atWork: ['a'], mayGrow: false }, ''],
] as const)('%s', (_, waiting, kept, expected) => {
  expect(chosen([...waiting], kept)).toBe(expected);
});
