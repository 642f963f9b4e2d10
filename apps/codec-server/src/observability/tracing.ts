import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { errorFields } from '@temporal-kms/worker-kit/logging';
import { writeToLog } from '@temporal-kms/node-utils/log-entry';
import { OutageLog } from '@temporal-kms/node-utils/outage-log';
import type { Logger } from 'pino';
import { version } from '../version.ts';
import { createSpans, type Spans } from './spans.ts';

/*
 * Only `main.ts` imports this file, and only if an endpoint for traces is set: OpenTelemetry's SDK takes memory and
 * time at the start.
 */

const NAME = 'temporal-kms-codec-server';

/** Spans that wait for their export. The processor drops further spans, so a failing endpoint costs no memory. */
const MAX_QUEUE = 2_048;

export interface TracingOptions {
  /** The share of traces that is exported, from 0 to 1. */
  readonly ratio: number;
  /** The namespaces of the configuration. */
  readonly named: ReadonlySet<string>;
  readonly log: Logger;
}

export interface Tracing {
  readonly spans: Spans;
  /** Exports the spans that wait. */
  shutdown(): Promise<void>;
}

/**
 * Exports the server's spans by OTLP over HTTP, in protobuf. The exporter reads its endpoint, headers and time limit
 * from the variables of OpenTelemetry's specification.
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function startTracing({ ratio, named, log }: TracingOptions): Tracing {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const sampler = ratio === 1 ? new AlwaysOnSampler() : randomSampler(ratio);
  const provider = new TracerProvider({
    // A caller chooses the trace, and not whether it is exported.
    sampler: new ParentBasedSampler({
      root: sampler,
      remoteParentSampled: sampler,
      remoteParentNotSampled: sampler,
    }),
    resource: resourceFromAttributes({ 'service.name': NAME, 'service.version': version }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new LoggedExporter(new OTLPTraceExporter(), log),
        maxQueueSize: MAX_QUEUE,
      }),
    ],
  });
  return {
    spans: createSpans(provider.getTracer(NAME, version), named),
    // LoggedExporter has logged why an export failed. The error contains the response of the endpoint.
    shutdown: () => provider.shutdown().catch(() => undefined),
  };
}

/** A caller chooses its trace id, so that must not decide whether the trace is exported. */
const randomSampler = (ratio: number): Sampler => ({
  shouldSample: () => ({
    decision: Math.random() < ratio ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
  }),
  toString: () => `RandomSampler{${ratio}}`,
});

type ExportDone = Parameters<SpanExporter['export']>[1];

/**
 * Logs when exports start to fail and when they succeed again. OpenTelemetry's own messages contain its URL and
 * response.
 */
class LoggedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #outage: OutageLog;

  constructor(exporter: SpanExporter, log: Logger) {
    this.#exporter = exporter;
    const messages = { down: 'trace export failing', up: 'trace export works again' };
    this.#outage = new OutageLog(writeToLog(log), messages);
  }

  export(spans: ReadableSpan[], done: ExportDone): void {
    this.#exporter.export(spans, (result) => {
      if (result.error === undefined) this.#outage.up();
      else this.#outage.down({ ...errorFields(result.error) });
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }
}
