import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../../sim/contract/assert.ts';
import { systemError } from '../../../workloads/files/system-error.ts';
import { storedName, type TraceStore } from './trace-store.ts';

/** A folder that is mounted on every machine. */
export function createFolderStore(folder: string): TraceStore {
  const shown = `--store ${folder}`;
  const refusal = (error: unknown) =>
    new UserError(`${shown}: found ${systemError(error)}, expected a folder for traces`);
  return {
    shown,
    has: async (hash) => existsSync(join(folder, storedName(hash))),
    async put(hash, file) {
      const temporary = join(folder, `.allocsim-${randomBytes(12).toString('hex')}.tmp`);
      try {
        mkdirSync(folder, { recursive: true });
        copyFileSync(file, temporary);
        renameSync(temporary, join(folder, storedName(hash)));
      } catch (error) {
        rmSync(temporary, { force: true });
        throw refusal(error);
      }
    },
    async get(hash, file) {
      const stored = join(folder, storedName(hash));
      if (!existsSync(stored)) return false;
      try {
        copyFileSync(stored, file);
      } catch (error) {
        throw refusal(error);
      }
      return true;
    },
  };
}
