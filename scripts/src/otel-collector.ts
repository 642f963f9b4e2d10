import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { answers, startChild, untilReady } from './child.ts';
import { findGo } from './go.ts';
import { freePorts } from './ports.ts';

/**
 * A collector must be built from selected components, because no module contains a collector that can be
 * installed.
 */
const SOURCE = join(import.meta.dirname, '../otel-collector');

/** An OTLP request that the collector forwarded, as JSON. */
export interface Passed {
  readonly signal: 'traces' | 'metrics' | 'logs';
  readonly json: string;
}

export interface Collector {
  /** URL of the collector's receiver for OTLP over gRPC. */
  readonly grpc: string;
  /** URL of the collector's receiver for OTLP over HTTP, without a signal's path. */
  readonly http: string;
  /** Returns the requests that the collector has forwarded, oldest first. */
  passed(): readonly Passed[];
  /** Stops the collector. */
  close(): Promise<void>;
}

/**
 * Starts an OpenTelemetry Collector that receives OTLP requests and forwards them to this process. Builds the
 * collector with Go on first use, which takes a few minutes.
 *
 * @returns undefined, after printing a message, if Go is not available
 * @throws Error if the collector does not start
 * @see https://opentelemetry.io/docs/collector/configuration/
 */
export async function startCollector(): Promise<Collector | undefined> {
  const go = await findGo('tests with an OpenTelemetry Collector are skipped');
  const file = await go?.build(SOURCE);
  if (file === undefined) return undefined;
  const passed: Passed[] = [];
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const json = await text(request);
    const [, signal] = /^\/v1\/(traces|metrics|logs)$/.exec(request.url ?? '') ?? [];
    if (signal === 'traces' || signal === 'metrics' || signal === 'logs') passed.push({ signal, json });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  };
  const sink = createServer((request, response) => void receive(request, response)).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  const bound = sink.address();
  const [grpc = 0, http = 0] = await freePorts(2);
  const pipeline = { receivers: ['otlp'], exporters: ['otlp_http'] };
  const directory = await mkdtemp(join(tmpdir(), 'otel-collector-'));
  const config = join(directory, 'config.yaml');
  // The collector reads YAML, and JSON is valid YAML.
  await writeFile(
    config,
    JSON.stringify({
      receivers: { otlp: { protocols: { grpc: listenOn(grpc), http: listenOn(http) } } },
      exporters: {
        otlp_http: {
          endpoint: `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`,
          encoding: 'json',
          compression: 'none',
        },
      },
      service: {
        telemetry: { metrics: { level: 'none' }, logs: { level: 'warn' } },
        pipelines: { traces: pipeline, metrics: pipeline, logs: pipeline },
      },
    }),
  );
  const collector = await startChild(file, [`--config=file:${config}`], { PATH: process.env['PATH'] });
  const close = async (): Promise<void> => {
    await collector.stop('SIGTERM');
    sink.close();
    sink.closeAllConnections();
    await rm(directory, { recursive: true, force: true });
  };
  // The collector opens its gRPC port before its HTTP port, which refuses GET.
  const isReady = () => answers(`http://127.0.0.1:${http}/v1/traces`, 405);
  await untilReady('The OpenTelemetry Collector', collector, isReady, close);
  return { grpc: `http://127.0.0.1:${grpc}`, http: `http://127.0.0.1:${http}`, passed: () => passed, close };
}

const listenOn = (port: number) => ({ endpoint: `127.0.0.1:${port}` });
