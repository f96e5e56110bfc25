import { UserError } from '../../sim/contract/assert.ts';
import type { Importer } from '../../workloads/import/importer.ts';

/** The log of a program's own hooks: `hook-log 1`, then `T +ADDRESS SIZE` and `T -ADDRESS` with hexadecimal addresses. */
export const hookLog: Importer = {
  name: 'hook-log',
  about: 'what our own malloc hooks write',
  begins: (line) => line === 'hook-log 1',
  create: (trace) => (line, place) => {
    if (line === '' || line === 'hook-log 1') return;
    const match = /^(\d+) ([+-])([0-9a-f]+)(?: (\d+))?$/.exec(line);
    if (!match || (match[2] === '+') !== (match[4] !== undefined)) {
      throw new UserError(
        `${place}: found ${JSON.stringify(line.slice(0, 60))}, expected T +ADDRESS SIZE or T -ADDRESS`,
      );
    }
    const thread = Number(match[1]);
    const address = Number.parseInt(match[3]!, 16);
    if (match[2] === '+') trace.malloc(thread, address, Number(match[4]));
    else trace.free(thread, address);
  },
};
