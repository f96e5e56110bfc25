import type { Argv, CommandModule } from 'yargs';
import { csvText } from '../../../sim/contract/escape.ts';
import { bytes, count, counted } from '../../../sim/contract/format.ts';
import { violationMessage } from '../../../workloads/trace/text/violation.ts';
import { checkTrace, type TraceCheck } from '../../../workloads/trace/validate.ts';
import { writeData } from '../../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../../cli/answer-options.ts';
import { print } from './input.ts';

interface CheckArguments extends AnswerArguments {
  file: string;
  limit: number;
}

export const checkCommand: CommandModule<object, CheckArguments> = {
  command: 'check <file>',
  describe: 'whether a trace keeps all rules; every violation with its line; exit 1 if there is any',
  builder: (yargs: Argv) =>
    answerOptions(yargs, { csv: 'violations and notes' })
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'a trace; - for stdin',
        coerce: (path: string) => path || '-',
      })
      .option('limit', {
        type: 'number',
        default: 20,
        describe: 'violations and notes to print',
      }) as unknown as Argv<CheckArguments>,
  handler: async ({ file, limit, json, csv }) => {
    const check = await checkTrace(file, limit);
    const { violations, violationCount, notes, noteCount } = check;
    if (violationCount > 0) process.exitCode = 1;
    const found = { file, ok: violationCount === 0, violationCount, violations, noteCount, notes };
    if (writeData({ json, csv }, found, () => checkCsv(check))) return;
    printCheck(file, check);
  },
};

/** Lines as editors read them: they are not folded. */
function printCheck(file: string, { violations, violationCount, notes, noteCount, events }: TraceCheck): void {
  for (const violation of violations) print(`${violationMessage(file, violation)}  [${violation.rule}]`);
  if (violationCount > violations.length) print(`… and ${count(violationCount - violations.length)} more`);
  for (const note of notes) print(`${file}:${note.line}: note: ${note.text}`);
  if (noteCount > notes.length) print(`… and ${counted(noteCount - notes.length, 'more note')}`);
  const threads = events.begins.length + 1;
  const summary = `${counted(events.length, 'event')}, ${counted(threads, 'thread')}`;
  print(
    violationCount === 0
      ? `${file}: OK, ${summary}, peak ${bytes(events.requestedPeakBytes)} asked for`
      : `${file}: ${counted(violationCount, 'violation')} in ${summary}`,
  );
}

/** One line a violation or note. */
function checkCsv({ violations, notes }: TraceCheck): string {
  return csvText(
    ['kind', 'line', 'column', 'rule', 'text'],
    [
      ...violations.map(({ line, column, rule, found, expected }) => [
        'violation',
        line,
        column,
        rule,
        `found ${found}, expected ${expected}`,
      ]),
      ...notes.map(({ line, text }) => ['note', line, null, null, text]),
    ],
  );
}
