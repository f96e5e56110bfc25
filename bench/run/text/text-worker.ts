import { type MessagePort, workerData } from 'node:worker_threads';
import { UserError } from '../../../sim/contract/assert.ts';
import { readTrace } from '../../../workloads/trace/reader.ts';
import { endRing, PIECE_ROWS, putPiece, type RowRing } from './row-ring.ts';

/** What a thread that reads a text is given. */
export interface TextTask {
  readonly path: string;
  readonly ring: RowRing;
  readonly port: MessagePort;
  /** What the machine was built for: a trace beyond it is `unfit`. */
  readonly objectSlots: number;
  readonly requestedPeakBytes: number;
  /** Whether its clock may move. */
  readonly mayBeTimed: boolean;
}

/** What it says beside the ring, before the piece of rows that it concerns. */
export type TextMessage =
  | { readonly labels: readonly string[] }
  | { readonly unfit: true }
  | { readonly userError: string }
  /** `system`: what an error of the system has besides, which does not come through with it. */
  | { readonly error: Error; readonly system: object }
  | { readonly length: number; readonly requestedPeakBytes: number; readonly exitRow: number };

class Unfit extends Error {}

const { path, ring, port, objectSlots, requestedPeakBytes, mayBeTimed } = workerData as TextTask;
const say = (message: TextMessage) => port.postMessage(message);
const started = performance.now();
let waitedMs = 0;
let labelsSaid = 0;

try {
  const events = await readTrace(path, {
    drain: {
      pieceRows: PIECE_ROWS,
      take(rows, count, soFar) {
        const isTooLarge = soFar.objectSlots > objectSlots || soFar.requestedPeakBytes >= requestedPeakBytes;
        if (!soFar.isPlain || isTooLarge || (soFar.isTimed && !mayBeTimed)) throw new Unfit();
        if (soFar.labels.length > labelsSaid) say({ labels: soFar.labels.slice(labelsSaid) });
        labelsSaid = soFar.labels.length;
        putPiece(ring, rows, count, soFar.objectSlots, (ms) => (waitedMs += ms));
        ring.workedMs[0] = performance.now() - started - waitedMs;
      },
    },
  });
  say({ length: events.length, requestedPeakBytes: events.requestedPeakBytes, exitRow: events.exitRow });
} catch (error) {
  if (error instanceof Unfit) say({ unfit: true });
  else if (error instanceof UserError) say({ userError: error.message });
  else say({ error: error as Error, system: { ...(error as Error) } });
} finally {
  endRing(ring);
  // It stays until it is told to go: the host's compiler may still be at work for it.
  setInterval(() => {}, 2 ** 30);
}
