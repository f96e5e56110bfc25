import { Interrupted, UserError } from '../sim/contract/assert.ts';
import { addressSpaceLimit, NODE_NEEDS_BYTES } from '../workloads/files/address-space.ts';
import { memoryRoom, roomText } from '../workloads/files/host-memory.ts';
import { NODE_NEEDS_FILES, openFilesLimit } from '../workloads/files/open-files.ts';
import { isSystemError, systemError } from '../workloads/files/system-error.ts';
import { endOnInterrupt, INTERRUPTED, ignoreInterrupt } from './cli/interruption.ts';
import { watchMemory } from './cli/memory-watch.ts';
import { messageText } from './cli/width.ts';
import { messageLine } from './report/escape.ts';

/** One line on standard error and exit code 2 for the user's mistakes; a stack trace only for ours. */
function fail(error: unknown): never {
  if (isBrokenPipe(error)) process.exit(0);
  if (isUserError(error)) {
    process.stderr.write(`${messageText(`sim: ${messageLine(error.message)}`)}\n`);
    process.exit(2);
  }
  if (error instanceof Interrupted) {
    process.stderr.write('sim: interrupted\n');
    process.exit(INTERRUPTED);
  }
  if (isOutOfMemory(error)) {
    process.stderr.write(
      `sim: found too little memory on this machine for so large a run: ${roomText(memoryRoom())}\n`,
    );
    process.exit(2);
  }
  if (isSystemError(error)) {
    process.stderr.write(`${messageText(`sim: ${messageLine(systemRefusal(error))}`)}\n`);
    process.exit(2);
  }
  process.stderr.write(`sim: internal error: ${error instanceof Error ? error.stack : error}\n`);
  process.exit(70);
}

/** A plugin may have brought a copy of this package with it, whose errors are of another class. */
function isUserError(error: unknown): error is UserError {
  return error instanceof UserError || (error instanceof Error && error.name === 'UserError');
}

/** What the engine says where the system gives it no memory, or no thread. */
function isOutOfMemory(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return (
    code === 'ERR_WORKER_OUT_OF_MEMORY' ||
    code === 'ERR_WORKER_INIT_FAILED' ||
    (error instanceof RangeError &&
      /allocation failed|Invalid (typed )?array( buffer)? length|Invalid string length/i.test(error.message))
  );
}

/** A reader that has seen enough (`sim run … | head`) is no error. */
function isBrokenPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
}

process.stdout.on('error', (error) => {
  const isRefusal = isSystemError(error) && !isBrokenPipe(error);
  fail(isRefusal ? new UserError(`standard output: found ${systemError(error)}`) : error);
});
process.on('uncaughtException', fail);

/** What the system refuses where no part expects it: a temporary folder that is not there, the working folder removed. */
function systemRefusal(error: NodeJS.ErrnoException): string {
  if (error.code === 'EMFILE')
    return 'found too few open files allowed (ulimit -n) for the modules and threads of this run';
  const place =
    error.syscall === 'uv_cwd' ? 'the working folder' : [error.syscall, error.path].filter(Boolean).join(' ');
  return `${place}: found ${systemError(error)}`;
}

// Where nobody can read it (a terminal that is gone), what is beside the answer goes unsaid, and the work goes on.
process.stderr.on('error', () => {});

/** `sim --help` and the like need less; what runs anything needs Node's own room. */
function checkAddressSpace(): void {
  const limit = addressSpaceLimit();
  if (limit >= NODE_NEEDS_BYTES) return;
  const found = `${(limit / 2 ** 30).toFixed(2)} GiB (ulimit -v)`;
  throw new UserError(`found an address space of ${found}, expected 1.50 GiB or no limit: Node reserves as much`);
}

function checkOpenFiles(): void {
  const limit = openFilesLimit();
  if (limit >= NODE_NEEDS_FILES) return;
  throw new UserError(`found ${limit} open files allowed (ulimit -n), expected ${NODE_NEEDS_FILES} or more`);
}

endOnInterrupt();
const args = process.argv.slice(2);
try {
  if (args.length === 1 && (args[0] === '--help' || args[0] === '-h')) {
    const { helpText } = await import('./commands/help.ts');
    process.stdout.write(helpText());
  } else {
    checkAddressSpace();
    checkOpenFiles();
    const stopWatching = watchMemory();
    const { runCommandLine } = await import('./commands/command-line.ts');
    await runCommandLine(args);
    // Who has answered has finished: what comes now changes nothing.
    stopWatching();
    ignoreInterrupt();
  }
} catch (error) {
  fail(error);
}
