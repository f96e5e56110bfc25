import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Queue } from 'bullmq';
import { UserError } from '../../../sim/contract/assert.ts';

export interface MetricsServer {
  /** HOST:PORT, as it became. */
  readonly address: string;
  close(): void;
}

/** Answers `GET /metrics` with BullMQ's figures of the queue, in Prometheus' text format. */
export async function serveMetrics(
  queue: Queue,
  { host, port }: { readonly host: string | undefined; readonly port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.replace(/\?.*/, '') !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    queue.exportPrometheusMetrics().then(
      (text) =>
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(`${text}\n`),
      () => response.writeHead(503).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new UserError(`--metrics: found ${error.code ?? error.message}, expected an address that can be listened to`),
      ),
    );
    server.listen({ port, ...(host !== undefined && { host }) }, resolve);
  });
  const { address, family, port: given } = server.address() as AddressInfo;
  return {
    address: family === 'IPv6' ? `[${address}]:${given}` : `${address}:${given}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
