import type { WriteLog } from '@temporal-kms/node-utils/log-entry';

type Api = typeof import('@opentelemetry/api');

/**
 * The names and formats from OpenTelemetry's specification for logs, which Temporal's OpenTelemetry
 * interceptors also use.
 */
export const traceFields: Readonly<Record<string, RegExp>> = {
  trace_id: /^[0-9a-f]{32}$/,
  span_id: /^[0-9a-f]{16}$/,
  trace_flags: /^[0-9a-f]{2}$/,
};

/**
 * Returns a function that writes entries with the `trace_id`, `span_id` and `trace_flags` of OpenTelemetry's
 * active span. Without the package `@opentelemetry/api`, or without an active span, the function writes
 * entries unchanged.
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
 * @example
 * ```ts
 * const write = withTraceContext(writeToLog(pino()));
 * ```
 */
export function withTraceContext(write: WriteLog): WriteLog {
  let api: Api | undefined;
  // The package is loaded asynchronously, because it is optional and no span is active yet when a process
  // starts.
  void import('@opentelemetry/api').then(
    (loaded) => (api = loaded),
    () => undefined,
  );
  return (entry) => {
    const span = api?.trace.getActiveSpan()?.spanContext();
    if (span === undefined || api?.isSpanContextValid(span) !== true) return write(entry);
    const trace = {
      trace_id: span.traceId,
      span_id: span.spanId,
      trace_flags: span.traceFlags.toString(16).padStart(2, '0'),
    };
    write({ ...entry, fields: { ...trace, ...entry.fields } });
  };
}
