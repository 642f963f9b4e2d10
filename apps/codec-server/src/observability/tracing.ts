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
 * Only `main.ts` imports this module, and only if an endpoint for traces is set, because OpenTelemetry's SDK
 * takes memory and startup time.
 */

const NAME = 'temporal-kms-codec-server';

/**
 * Maximum number of spans that wait to be exported. The processor drops further spans, so that a failing
 * endpoint does not fill the memory.
 */
const MAX_QUEUE = 2_048;

export interface TracingOptions {
  /** The fraction of traces to export, from 0 to 1. */
  readonly ratio: number;
  /** The configured namespaces. */
  readonly named: ReadonlySet<string>;
  readonly log: Logger;
}

export interface Tracing {
  readonly spans: Spans;
  /** Exports the waiting spans. */
  shutdown(): Promise<void>;
}

/**
 * Exports the server's spans as OTLP over HTTP, in protobuf. The exporter reads its endpoint, headers and
 * time limit from OpenTelemetry's standard environment variables.
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function startTracing({ ratio, named, log }: TracingOptions): Tracing {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const sampler = ratio === 1 ? new AlwaysOnSampler() : randomSampler(ratio);
  const provider = new TracerProvider({
    // Ignores the caller's sampling decision: callers choose the trace, but not whether it is exported.
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
    // Does not log the error, because it contains the endpoint's response, and LoggedExporter has already
    // logged why the export failed.
    shutdown: () => provider.shutdown().catch(() => undefined),
  };
}

/** Samples at random and not by trace id, because callers choose the trace id. */
const randomSampler = (ratio: number): Sampler => ({
  shouldSample: () => ({
    decision: Math.random() < ratio ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
  }),
  toString: () => `RandomSampler{${ratio}}`,
});

type ExportDone = Parameters<SpanExporter['export']>[1];

/**
 * Logs when exports start to fail and when they succeed again. OpenTelemetry's own messages would contain the
 * endpoint's URL and response.
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
