import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';

/** Writes a file whole or not at all. */
export function writeBinary(path: string, content: Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, content);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new UserError(`${path}: ${(error as Error).message.split(',')[0]}, expected a file that can be written`);
  }
}
