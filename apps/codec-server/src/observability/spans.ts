import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { KmsCall, Observer } from '@temporal-kms/kms-codec';

/*
 * What the server's spans contain. Attributes have closed sets of values (routes, statuses, formats, codes), names of the
 * configuration (namespaces, crypto keys) and numbers. No attribute, status or event has a message, a path, a query, or
 * anything else from a payload or a caller.
 */

/** A request, from its first byte to the head of its response, or to the end of its stream. */
export interface RequestSpan {
  /** Returns a function to call when the stream has ended; further calls do nothing. */
  streamOpened(): () => void;
  /** The head of the response is known. The span ends, unless a stream is open. */
  answered(response: AnsweredRequest): void;
}

interface AnsweredRequest {
  /** The route's pattern, never a path. */
  readonly route: string;
  readonly status: number;
  /** The code of an error's body. */
  readonly code?: string | undefined;
}

export interface Spans {
  /** Adds Cloud KMS calls as spans, and counts of payloads to the innermost span of the request. */
  readonly observer: Observer;
  /** Does the work of a request in its span. @param caller the span that `traceparent` names */
  request<T>(method: string, caller: SpanContext | undefined, work: (span: RequestSpan) => T): T;
  /** Does the work of Temporal's codec protocol in a span. */
  operation<T>(name: 'decode' | 'encode', namespace: string, work: () => Promise<T>): Promise<T>;
}

const methods = new Set(['GET', 'HEAD', 'OPTIONS', 'POST']);

/** Returns the method of a request, `other` for one that no route has: callers choose it, and labels must be few. */
export const knownMethod = (method: string): string => (methods.has(method) ? method : 'other');

/** The methods of Cloud KMS by the codec's operations; `describe` also lists the versions. */
const kmsMethods: Readonly<Record<KmsCall['operation'], string>> = {
  wrap: 'Encrypt',
  unwrap: 'Decrypt',
  describe: 'GetCryptoKey',
};

const countsKey = createContextKey('temporal-kms counts');

/** Numbers of payloads by format or reason code, which become attributes when the span ends. */
class Counts {
  readonly #numbers = new Map<string, number>();

  add(name: string): void {
    this.#numbers.set(name, (this.#numbers.get(name) ?? 0) + 1);
  }

  attributes(): Attributes {
    return Object.fromEntries(this.#numbers);
  }
}

const activeCounts = (): Counts | undefined => {
  const found = context.active().getValue(countsKey);
  return found instanceof Counts ? found : undefined;
};

/**
 * Returns what makes the server's spans.
 * @param named the namespaces of the configuration. Others are `other`: callers could choose them.
 */
export function createSpans(tracer: Tracer, named: ReadonlySet<string>): Spans {
  return {
    observer: {
      kmsCall: (call) => recordKmsCall(tracer, call),
      encrypted: ({ format }) => activeCounts()?.add(`temporal_kms.encrypted.${format}`),
      decrypted: ({ format }) => activeCounts()?.add(`temporal_kms.decrypted.${format}`),
      refused: ({ code }) => activeCounts()?.add(`temporal_kms.refused.${code}`),
    },
    request: (method, caller, work) => {
      const parent = caller === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, caller);
      const known = knownMethod(method);
      const attributes = { 'http.request.method': known };
      const span = tracer.startSpan(known, { kind: SpanKind.SERVER, attributes }, parent);
      const counts = new Counts();
      return context.with(within(parent, span, counts), () => work(requestSpan(span, known, counts)));
    },
    operation: async (name, namespace, work) => {
      const attributes = { 'temporal_kms.namespace': named.has(namespace) ? namespace : 'other' };
      const span = tracer.startSpan(name, { attributes });
      const counts = new Counts();
      try {
        return await context.with(within(context.active(), span, counts), work);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.setAttributes(counts.attributes()).end();
      }
    },
  };
}

const within = (parent: Context, span: Span, counts: Counts): Context =>
  trace.setSpan(parent, span).setValue(countsKey, counts);

function requestSpan(span: Span, method: string, counts: Counts): RequestSpan {
  let open = 0;
  let isAnswered = false;
  const endIfComplete = (): void => {
    if (isAnswered && open === 0) span.setAttributes(counts.attributes()).end();
  };
  return {
    streamOpened: () => {
      open += 1;
      let isOpen = true;
      return () => {
        if (!isOpen) return;
        isOpen = false;
        open -= 1;
        endIfComplete();
      };
    },
    answered: ({ route, status, code }) => {
      span.updateName(`${method} ${route}`);
      span.setAttributes({ 'http.route': route, 'http.response.status_code': status });
      if (code !== undefined) span.setAttribute('error.type', code);
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      isAnswered = true;
      endIfComplete();
    },
  };
}

/** A call that several requests wait for belongs to the request that started it. */
function recordKmsCall(tracer: Tracer, { operation, key, milliseconds, requests, code }: KmsCall): void {
  const end = performance.timeOrigin + performance.now();
  const span = tracer.startSpan(`Cloud KMS ${operation}`, {
    kind: SpanKind.CLIENT,
    startTime: end - milliseconds,
    attributes: {
      'rpc.system': 'grpc',
      'rpc.service': 'google.cloud.kms.v1.KeyManagementService',
      'rpc.method': kmsMethods[operation],
      'temporal_kms.crypto_key': key,
      'temporal_kms.requests': requests,
    },
  });
  if (code !== undefined) span.setAttribute('error.type', code).setStatus({ code: SpanStatusCode.ERROR });
  span.end(end);
}
