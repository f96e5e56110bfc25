import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../../sim/contract/assert.ts';

/** What the program says of its standard input, without its name and the input's. */
const reasonOf = (message: string): string =>
  message
    .trim()
    .split('\n')[0]!
    .replace(/^(zstd: )?\/\*stdin\*\\ ?: ?/, '')
    .trim() || 'zstd';

/** A stream that unpacks by the program `zstd`: for versions of Node that have no zstd of their own. */
export function zstdProgram(source: string): Duplex {
  return Duplex.from(async function* (packed: AsyncIterable<Uint8Array>) {
    const child = spawn('zstd', ['-dcq'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let message = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      message += text;
    });
    const ended = once(child, 'close') as Promise<[number | null]>;
    ended.catch(() => {}); // looked at below
    // What goes wrong on the way in shows in the program's exit, or comes out as the end of what was read.
    const fed = pipeline(packed, child.stdin).catch(() => {});
    try {
      yield* child.stdout as AsyncIterable<Uint8Array>;
      await fed;
      const [status] = await ended;
      if (status !== 0) throw Object.assign(new Error(reasonOf(message)), { code: 'ERR_ZSTD' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      const { node } = process.versions;
      throw new UserError(
        `${source}: found zstd, expected .gz or no compression: Node ${node} has no zstd, and there is no program zstd`,
      );
    } finally {
      child.kill();
    }
  });
}
