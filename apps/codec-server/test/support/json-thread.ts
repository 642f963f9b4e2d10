import { createServer } from 'node:http';
import { parentPort } from 'node:worker_threads';

/** An issuer's document from a thread of its own, which answers while the test's own thread stands still. */
const server = createServer((_, response) => {
  setTimeout(() => response.end('{"keys":[]}'), 200);
});
server.listen(0, '127.0.0.1', () => parentPort?.postMessage(server.address(), []));
