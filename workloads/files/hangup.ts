import { constants, readFileSync, readlinkSync } from 'node:fs';

/**
 * Whether nohup wants SIGHUP to be ignored: Node begins by forgetting what was ignored (PlatformInit of its src/node.cc). Two things still
 * tell of it. Shells leave the program that they start in `_`: bash(1) and zsh have its path there, ksh a number between asterisks before
 * it. And in place of a terminal GNU's nohup gives its program an input that cannot be read (nohup of the coreutils' manual).
 */
export const isHangupIgnored = (): boolean => /(^|[*/])nohup$/.test(process.env['_'] ?? '') || hasInputOfNohup();

function hasInputOfNohup(): boolean {
  try {
    const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/fdinfo/0', 'utf8')) ?? [];
    const access = Number.parseInt(flags, 8) & (constants.O_WRONLY | constants.O_RDWR);
    return access === constants.O_WRONLY && readlinkSync('/proc/self/fd/0') === '/dev/null';
  } catch {
    return false;
  }
}
