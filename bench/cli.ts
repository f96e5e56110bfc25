#!/usr/bin/env node
import { Interrupted, UserError } from '../sim/contract/assert.ts';
import { isSystemError, systemError } from '../workloads/files/system-error.ts';
import { endOnInterrupt, INTERRUPTED } from './cli/interruption.ts';
import { escapeLine } from './report/escape.ts';

/** One line on standard error and exit code 2 for the user's mistakes; a stack trace only for ours. */
function fail(error: unknown): never {
  if (isBrokenPipe(error)) process.exit(0);
  if (error instanceof UserError) {
    process.stderr.write(`sim: ${escapeLine(error.message)}\n`);
    process.exit(2);
  }
  if (error instanceof Interrupted) {
    process.stderr.write('sim: interrupted\n');
    process.exit(INTERRUPTED);
  }
  if (isOutOfMemory(error)) {
    process.stderr.write('sim: found too little memory on this machine for so large a run\n');
    process.exit(2);
  }
  process.stderr.write(`sim: internal error: ${error instanceof Error ? error.stack : error}\n`);
  process.exit(70);
}

/** What the engine says where the system gives it no memory. */
function isOutOfMemory(error: unknown): boolean {
  return (
    error instanceof RangeError && /allocation failed|Invalid (typed )?array( buffer)? length/i.test(error.message)
  );
}

/** A reader that has seen enough (`sim run … | head`) is no error. */
function isBrokenPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
}

process.stdout.on('error', (error) => {
  fail(isSystemError(error) ? new UserError(`standard output: found ${systemError(error)}`) : error);
});

endOnInterrupt();
const args = process.argv.slice(2);
try {
  if (args.length === 1 && (args[0] === '--help' || args[0] === '-h')) {
    const { helpText } = await import('./commands/help.ts');
    process.stdout.write(helpText());
  } else {
    const { runCommandLine } = await import('./commands/command-line.ts');
    await runCommandLine(args);
  }
} catch (error) {
  fail(error);
}
