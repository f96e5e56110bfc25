import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Keeps what it is sent by PUT; `isAllowed` looks at each request. */
export async function objectServer(isAllowed: (headers: IncomingHttpHeaders, method: string, path: string) => boolean) {
  const objects = new Map<string, Buffer>();
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method = '', url = '', headers } = request;
    if (!isAllowed(headers, method, url)) return void response.writeHead(403).end();
    if (method === 'PUT') objects.set(url, Buffer.concat(parts));
    const found = objects.get(url);
    response.writeHead(found ? 200 : 404).end(method === 'GET' ? found : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, objects };
}
