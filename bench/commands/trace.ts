import type { Argv, CommandModule } from 'yargs';
import { checkCommand } from './trace/check.ts';
import { convertCommand } from './trace/convert.ts';
import { cutCommand } from './trace/cut.ts';
import { importCommand } from './trace/import.ts';
import { infoCommand } from './trace/info.ts';
import { recordCommand } from './trace/record.ts';

export const traceCommand: CommandModule<object, object> = {
  command: 'trace',
  describe: 'work on traces: check, info, convert, cut, import, record',
  builder: (yargs: Argv) =>
    yargs
      .command(checkCommand)
      .command(infoCommand)
      .command(convertCommand)
      .command(cutCommand)
      .command(importCommand)
      .command(recordCommand)
      .demandCommand(1, 'found no command, expected check, info, convert, cut, import or record')
      .strict(),
  handler: () => {},
};
