import { type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { codeOf } from '../errors.ts';
import { createResponseHeaders } from '../http/headers.ts';

export interface BadRequestsOptions {
  /** Bytes of a head. */
  readonly maxHead: number;
  readonly tls: boolean;
  /** Whether an answer may be written: HTTP is spoken on it, and no answer is under way. */
  readonly mayAnswer: (socket: Duplex) => boolean;
}

/**
 * Answers what Node's parser refuses, with a text as every other refusal; Node's own answers have no body. Nothing of
 * the application has seen it, so nobody knows an origin.
 */
export function answerBadRequests(server: Server, { maxHead, tls, mayAnswer }: BadRequestsOptions): void {
  const secure = createResponseHeaders([], tls).of(undefined);
  const answerTo = (code: string | undefined): string => {
    const [status, text] = refusalOf(code, maxHead);
    const headers = {
      ...secure,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': text.length + 1,
      Connection: 'close',
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', `${text}\n`].join('\r\n');
  };
  server.on('clientError', (error, socket) => {
    const code = codeOf(error);
    // A handshake that failed, or never ended, comes here too: what is written on it would be waited for without end.
    if (socket.writable && code !== 'ECONNRESET' && mayAnswer(socket)) {
      socket.end(answerTo(code), () => socket.destroy());
    } else {
      socket.destroy();
    }
  });
}

function refusalOf(code: string | undefined, maxHead: number): readonly [status: number, text: string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [431, `The head of the request is larger than ${maxHead} bytes.`];
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return [413, 'The extensions of a chunk are too large.'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'The request did not arrive in time; send it faster, or less at once.'];
    default:
      return [400, 'This is no HTTP/1.1 request.'];
  }
}
