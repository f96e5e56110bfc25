import type { Argv } from 'yargs';

/** Where a command's answer goes as data; nothing where it was not asked for, '' for standard output. */
export interface AnswerArguments {
  json: string | undefined;
  csv: string | undefined;
}

const ABOUT = { json: 'everything', csv: 'the table' };

/** `--json [FILE]` and `--csv [FILE]`: of every command that shows a table. */
export function answerOptions<T>(yargs: Argv<T>, about: Partial<typeof ABOUT> = {}): Argv<T & AnswerArguments> {
  const { json, csv } = { ...ABOUT, ...about };
  return yargs
    .option('json', jsonOption(json))
    .option('csv', { type: 'string', describe: toPlace(`${csv} as CSV`) }) as unknown as Argv<T & AnswerArguments>;
}

/** Of what is no table: a real tool's text. */
export const jsonOption = (what: string) => ({ type: 'string', describe: toPlace(`${what} as JSON`) }) as const;

const toPlace = (what: string) => `${what}, to FILE or to stdout (then nothing else)`;
