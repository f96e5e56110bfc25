#!/usr/bin/env node
/** Imports nothing of its own before it can answer for what it imports: where few files may be open (`ulimit -n`), modules are what is refused. */
try {
  await import('./program.ts');
} catch (error) {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
  process.stderr.write('sim: found too few open files allowed (ulimit -n) to load the program, expected 64 or more\n');
  process.exitCode = 2;
}
