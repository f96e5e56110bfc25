import { type EventBuffer, OP_MASK, OP_REQUEST_END } from '../../../../sim/contract/event.ts';
import { bytes, counted } from '../../../../sim/contract/format.ts';
import { type Mechanism, WORTH_FINDING } from './mechanism.ts';
import { areaResident, cachedChunks } from './zend-areas.ts';

/** More empty requests than this are not tried. */
const REQUESTS_MAX = 64;

/** Chunks that the Zend heap keeps for the next request, by a running average of what requests have used. */
export const zendCachedChunks: Mechanism = {
  name: 'Zend cached chunks',
  detect({ facts, assembled, experiment, events, end }) {
    const now = cachedChunks(assembled);
    const resident = areaResident(facts.areas, 'cached chunk');
    const { request } = assembled;
    if (!request || resident < facts.sample.rssBytes * WORTH_FINDING) return undefined;
    const afterEach: number[] = experiment(() => {
      const counts: number[] = [];
      for (let i = 0; i < REQUESTS_MAX && (counts.at(-1) ?? now) > 0; i++) {
        request.requestBegin(0);
        request.requestEnd(0);
        if (counts.at(-1) === cachedChunks(assembled) && i > 8) break;
        counts.push(cachedChunks(assembled));
      }
      return counts;
    });
    const requests = countRequests(events, end);
    return {
      mechanism: 'Zend cached chunks',
      bytes: resident,
      isNoLeak: true,
      sentences: [
        `The Zend heap keeps ${counted(now, 'chunk')} of 2 MiB for later requests (${bytes(resident)} resident): as many as a running average of past requests needs. Small requests from here on leave ${afterEach.slice(0, 8).join(', ')}${afterEach.length > 8 ? ', …' : ''} (run): each about halves them.`,
        ...(requests > 1
          ? ['Where one request in many is large, pm.max_requests of php-fpm ends a worker that has served it.']
          : []),
      ],
      settings: [],
    };
  },
};

function countRequests({ head }: EventBuffer, end: number): number {
  let requests = 0;
  for (let row = 0; row < end; row++) if ((head[row]! & OP_MASK) === OP_REQUEST_END) requests++;
  return requests;
}
