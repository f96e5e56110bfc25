import { constants as files, readFileSync, readlinkSync } from 'node:fs';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type Ending = (typeof ENDING)[number];

/** They are heard from before the first file is made until the last one is gone; what they do depends on how far it is. */
export interface Endings {
  act: (signal: Ending) => void;
  release(): void;
}

/**
 * nohup has the program ignore SIGHUP; Node begins by forgetting what was ignored (PlatformInit of its src/node.cc). Two things still
 * tell of it. Shells leave the program that they start in `_`: bash(1) and zsh have its path there, ksh a number between asterisks before
 * it. And in place of a terminal GNU's nohup gives its program an input that cannot be read (nohup of the coreutils' manual).
 */
export const isHangupIgnored = /(^|[*/])nohup$/.test(process.env['_'] ?? '') || hasInputOfNohup();

function hasInputOfNohup(): boolean {
  try {
    const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/fdinfo/0', 'utf8')) ?? [];
    const isWriteOnly = (Number.parseInt(flags, 8) & (files.O_WRONLY | files.O_RDWR)) === files.O_WRONLY;
    return isWriteOnly && readlinkSync('/proc/self/fd/0') === '/dev/null';
  } catch {
    return false;
  }
}

export function listenForEndings(act: Endings['act']): Endings {
  const endings: Endings = {
    act,
    release: () => {
      for (const signal of ENDING) process.off(signal, hear);
    },
  };
  const hear = (signal: NodeJS.Signals) => {
    if (signal !== 'SIGHUP' || !isHangupIgnored) endings.act(signal as Ending);
  };
  for (const signal of ENDING) process.on(signal, hear);
  return endings;
}
