import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../../sim/contract/assert.ts';
import { count } from '../../../sim/contract/format.ts';
import { recordProgram } from '../../../workloads/recorder/recorder.ts';
import { checkTraceName, writeTrace } from '../../../workloads/trace/output.ts';
import { quantumOption, tellOddities } from './import.ts';
import { outputPositional } from './input.ts';

interface RecordArguments {
  out: string;
  program: string[];
  '--'?: string[];
  room: number;
  quantum: number;
  samples: number;
}

export const recordCommand: CommandModule<object, RecordArguments> = {
  command: 'record <out> [program..]',
  describe: 'run a program and record what it does with malloc: record OUT -- PROGRAM ARGUMENTS',
  builder: (yargs: Argv) =>
    outputPositional(yargs)
      .positional('program', { type: 'string', array: true, default: [], describe: 'with its arguments, behind --' })
      .option('room', { type: 'number', default: 2 ** 25, describe: 'calls that can be recorded' })
      .option('quantum', quantumOption)
      .option('samples', { type: 'number', default: 64, describe: 'sample points, spread evenly' })
      .parserConfiguration({ 'populate--': true }) as unknown as Argv<RecordArguments>,
  handler: async ({ out, program, '--': behind = [], room, quantum, samples }) => {
    const command = [...program, ...behind].map(String);
    if (command.length === 0) throw new UserError('record: found no program, expected one behind --');
    if (!(Number.isInteger(room) && room >= 1 && room <= 2 ** 31)) {
      throw new UserError(`--room: found '${room}', expected a number of calls from 1 to 2147483648`);
    }
    checkTraceName(out);
    const recording = await recordProgram({
      command,
      capacity: room,
      quantumNs: quantum,
      samples,
      stdout: out === '-' ? 'stderr' : 'inherit',
    });
    await writeTrace(out, recording.events);
    process.stderr.write(`${command[0]}: ${recording.ended}; ${count(recording.events.length)} events recorded\n`);
    tellOddities(command[0]!, recording.oddities);
  },
};
