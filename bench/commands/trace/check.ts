import type { Argv, CommandModule } from 'yargs';
import { bytes, count, counted } from '../../../sim/contract/format.ts';
import { violationMessage } from '../../../workloads/trace/parser.ts';
import { checkTrace } from '../../../workloads/trace/validate.ts';
import { print, printJson } from './input.ts';

interface CheckArguments {
  file: string;
  limit: number;
  json: boolean;
}

export const checkCommand: CommandModule<object, CheckArguments> = {
  command: 'check <file>',
  describe: 'whether a trace keeps all rules; every violation with its line; exit 1 if there is any',
  builder: (yargs: Argv) =>
    yargs
      .positional('file', {
        type: 'string',
        demandOption: true,
        describe: 'a trace; - for stdin',
        coerce: (path: string) => path || '-',
      })
      .option('limit', { type: 'number', default: 20, describe: 'violations and notes to print' })
      .option('json', { type: 'boolean', default: false, describe: 'as JSON' }) as unknown as Argv<CheckArguments>,
  handler: async ({ file, limit, json }) => {
    const { violations, violationCount, notes, noteCount, events } = await checkTrace(file, limit);
    if (violationCount > 0) process.exitCode = 1;
    if (json) {
      printJson({ file, ok: violationCount === 0, violationCount, violations, noteCount, notes });
      return;
    }
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
  },
};
