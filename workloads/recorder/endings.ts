import { isHangupIgnored } from '../files/hangup.ts';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type Ending = (typeof ENDING)[number];

/** They are heard from before the first file is made until the last one is gone; what they do depends on how far it is. */
export interface Endings {
  act: (signal: Ending) => void;
  release(): void;
}

export function listenForEndings(act: Endings['act']): Endings {
  const endings: Endings = {
    act,
    release: () => {
      for (const signal of ENDING) process.off(signal, hear);
    },
  };
  const hear = (signal: NodeJS.Signals) => {
    if (signal !== 'SIGHUP' || !isHangupIgnored()) endings.act(signal as Ending);
  };
  for (const signal of ENDING) process.on(signal, hear);
  return endings;
}
