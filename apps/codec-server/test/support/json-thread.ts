import { createServer } from 'node:http';
import { parentPort } from 'node:worker_threads';

/**
 * Serves an issuer's document from a separate thread, which responds even while the test's event loop is
 * blocked.
 */
const server = createServer((_, response) => {
  setTimeout(() => response.end('{"keys":[]}'), 200);
});
server.listen(0, '127.0.0.1', () => parentPort?.postMessage(server.address(), []));
