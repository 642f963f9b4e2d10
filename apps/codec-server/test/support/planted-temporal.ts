import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { buffer } from 'node:stream/consumers';
import { listenOnLoopback } from '@temporal-kms/testing/network';
import proto from '@temporalio/proto';

/*
 * Starts a Temporal server that returns prepared responses over gRPC. A real server could not store the
 * content of some of these responses.
 */

const { workflowservice } = proto.temporal.api;
const none = Buffer.alloc(0);

/** The encoded responses to requests with one workflow id. */
interface Planted {
  readonly history: Uint8Array;
  readonly description: Uint8Array;
}

export interface PlantedTemporal {
  readonly address: string;
  readonly runs: Map<string, Planted>;
  /** The encoded response for the first page of any list. Further pages are empty. */
  list: Uint8Array;
  close(): Promise<void>;
}

export async function startPlantedTemporal(): Promise<PlantedTemporal> {
  const runs = new Map<string, Planted>();
  const runOf = ({ execution }: { readonly execution?: { readonly workflowId?: string | null } | null }) =>
    runs.get(execution?.workflowId ?? '');
  const answer = (method: string, request: Buffer): Uint8Array => {
    switch (method) {
      case 'GetWorkflowExecutionHistory':
        return runOf(workflowservice.v1.GetWorkflowExecutionHistoryRequest.decode(request))?.history ?? none;
      case 'DescribeWorkflowExecution':
        return (
          runOf(workflowservice.v1.DescribeWorkflowExecutionRequest.decode(request))?.description ?? none
        );
      case 'ListWorkflowExecutions':
        return workflowservice.v1.ListWorkflowExecutionsRequest.decode(request).nextPageToken.length > 0
          ? none
          : temporal.list;
      default:
        return none;
    }
  };
  const server = createServer();
  const respond = async (stream: ServerHttp2Stream, path: string): Promise<void> => {
    const message = answer(path.split('/').at(-1) ?? '', (await buffer(stream)).subarray(5));
    if (stream.destroyed) return;
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.concat([head, message]));
  };
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy());
    respond(stream, headers[':path'] ?? '').catch(() => stream.destroy());
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  const port = await listenOnLoopback(server);
  const temporal: PlantedTemporal = {
    address: `127.0.0.1:${port}`,
    runs,
    list: none,
    close: async () => {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return temporal;
}
