import { createConnection } from 'node:net';

/** Record types of FastCGI 1.0. */
const BEGIN_REQUEST = 1;
const PARAMS = 4;
const STDIN = 5;
const RESPONDER = 1;
const HEAD_BYTES = 8;

function record(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]), content]);
}

function length(bytes: number): Buffer {
  if (bytes < 128) return Buffer.from([bytes]);
  const long = Buffer.alloc(4);
  long.writeUInt32BE(bytes + 2 ** 31);
  return long;
}

/**
 * One GET over FastCGI on a Unix socket, on a connection of its own.
 * @returns headers and body. Rejects where nobody answers.
 */
export function getPage(socket: string, script: string, query: string): Promise<string> {
  const parameters = { SCRIPT_FILENAME: script, REQUEST_METHOD: 'GET', QUERY_STRING: query };
  const pairs = Object.entries(parameters).map(([name, value]) =>
    Buffer.concat([length(Buffer.byteLength(name)), length(Buffer.byteLength(value)), Buffer.from(name + value)]),
  );
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket);
    const parts: Buffer[] = [];
    connection.on('data', (part) => void parts.push(part));
    connection.on('end', () => resolve(contentOf(Buffer.concat(parts))));
    connection.on('error', reject);
    connection.write(
      Buffer.concat([
        record(BEGIN_REQUEST, Buffer.from([0, RESPONDER, 0, 0, 0, 0, 0, 0])),
        record(PARAMS, Buffer.concat(pairs)),
        record(PARAMS, Buffer.alloc(0)),
        record(STDIN, Buffer.alloc(0)),
      ]),
    );
  });
}

/** What the records of type STDOUT hold. */
function contentOf(answer: Buffer): string {
  const STDOUT = 6;
  const parts: Buffer[] = [];
  for (let at = 0; at + HEAD_BYTES <= answer.length; ) {
    const bytes = answer.readUInt16BE(at + 4);
    if (answer[at + 1] === STDOUT) parts.push(answer.subarray(at + HEAD_BYTES, at + HEAD_BYTES + bytes));
    at += HEAD_BYTES + bytes + answer[at + 6]!;
  }
  return Buffer.concat(parts).toString('utf8');
}
