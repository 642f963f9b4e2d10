import { AsyncLocalStorage } from 'node:async_hooks';
import { isSpanContextValid, type SpanContext, trace } from '@opentelemetry/api';

const current = new AsyncLocalStorage<SpanContext>();

/**
 * Later versions of `traceparent` may append fields: https://www.w3.org/TR/trace-context/#traceparent-header
 */
const traceparent = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Returns the caller's span from a `traceparent` header, or undefined if the header is invalid. */
export function parseTraceparent(header: string | undefined): SpanContext | undefined {
  if (header === undefined) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = traceparent.exec(header) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(span) ? span : undefined;
}

/**
 * Runs the work of a request, and adds the caller's trace to the request's log lines.
 * @param header `traceparent`, if present
 */
export function inTraceOf<T>(header: string | undefined, work: () => T): T {
  const span = parseTraceparent(header);
  return span === undefined ? work() : current.run(span, work);
}

/**
 * Returns the trace fields for a log line. If traces are exported, or if the process was started with
 * OpenTelemetry's SDK, the fields identify OpenTelemetry's active span; otherwise, they identify the span in
 * the caller's `traceparent`.
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
 */
export function traceFields(): Record<string, string> {
  const active = trace.getActiveSpan()?.spanContext();
  const span = active !== undefined && isSpanContextValid(active) ? active : current.getStore();
  if (span === undefined) return {};
  const { traceId, spanId, traceFlags } = span;
  return { trace_id: traceId, span_id: spanId, trace_flags: traceFlags.toString(16).padStart(2, '0') };
}
