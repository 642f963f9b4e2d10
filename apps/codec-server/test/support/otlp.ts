import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { closeServer, listenOnLoopback } from '@temporal-kms/testing/network';
import protobuf from 'protobufjs';
import { keepForSearch } from './leak-search.ts';

/** The message types of a trace export, from opentelemetry/proto/trace/v1/trace.proto of OTLP 1.x. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1;
    bytes span_id = 2;
    string trace_state = 3;
    bytes parent_span_id = 4;
    string name = 5;
    int32 kind = 6;
    fixed64 start_time_unix_nano = 7;
    fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9;
    repeated Event events = 11;
    repeated Link links = 13;
    Status status = 15;
  }
  message Event { string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`);
const Request = root.lookupType('Request');

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, string | number | boolean>>;
}

interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly KeyValue[];
  readonly events?: readonly object[];
  readonly links?: readonly object[];
  readonly traceState?: string;
  readonly status?: { readonly code?: number; readonly message?: string };
}

interface SentRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

export interface ReceivedSpan {
  readonly trace: string;
  readonly id: string;
  /** The parent's span id, or an empty string if the span has no parent. */
  readonly parent: string;
  readonly name: string;
  readonly milliseconds: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly isError: boolean;
  /**
   * Fields that must stay empty, because they could contain messages or stack traces: events, links, trace
   * state, status message.
   */
  readonly more: readonly unknown[];
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly resources: Record<string, unknown>[];
  /** The raw request bodies. */
  readonly bodies: Buffer[];
  /** The headers of the requests. */
  readonly headers: Record<string, unknown>[];
  close(): Promise<void>;
}

/**
 * Starts a server that receives traces by OTLP over HTTP in protobuf. All received data is searched for
 * secrets.
 */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const resources: Record<string, unknown>[] = [];
  const bodies: Buffer[] = [];
  const headers: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request);
      keepForSearch(body);
      bodies.push(body);
      headers.push({ ...request.headers, url: request.url });
      const decoded = Request.toObject(Request.decode(body), { bytes: String, longs: String });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see the message types above
      for (const { resource, scopeSpans } of (decoded as SentRequest).resourceSpans) {
        resources.push(attributesOf(resource.attributes));
        spans.push(...scopeSpans.flatMap((scope) => scope.spans).map(received));
      }
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    })();
  });
  const port = await listenOnLoopback(server);
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    resources,
    bodies,
    headers,
    close: () => closeServer(server),
  };
}

const attributesOf = (given: readonly KeyValue[] = []) =>
  Object.fromEntries(given.map(({ key, value }) => [key, Object.values(value)[0] ?? '']));
const hex = (base64 = ''): string => Buffer.from(base64, 'base64').toString('hex');

const received = (span: SentSpan): ReceivedSpan => ({
  trace: hex(span.traceId),
  id: hex(span.spanId),
  parent: hex(span.parentSpanId),
  name: span.name,
  milliseconds: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
  attributes: attributesOf(span.attributes),
  isError: span.status?.code === 2,
  more: [...(span.events ?? []), ...(span.links ?? []), span.traceState, span.status?.message].filter(
    Boolean,
  ),
});
