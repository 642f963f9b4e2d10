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
 * The server's spans. Attributes are values from closed sets (routes, statuses, formats, codes), names from
 * the configuration (namespaces, crypto keys) and numbers. No attribute, status or event contains a message,
 * a path, a query, or anything else from a payload or a caller.
 */

/** The span of a request, from its first byte to the response headers or, for a stream, to the stream's end. */
export interface RequestSpan {
  /** Returns a function to call when the stream has ended; further calls do nothing. */
  streamOpened(): () => void;
  /** Call this function when the response headers are known. Ends the span, unless a stream is open. */
  answered(response: AnsweredRequest): void;
}

interface AnsweredRequest {
  /** The route's pattern, never a path. */
  readonly route: string;
  readonly status: number;
  /** The code in an error's body. */
  readonly code?: string | undefined;
}

export interface Spans {
  /** Creates spans for Cloud KMS calls, and adds payload counts to the request's innermost span. */
  readonly observer: Observer;
  /** Runs the work of a request in a span. @param caller the span in the `traceparent` header */
  request<T>(method: string, caller: SpanContext | undefined, work: (span: RequestSpan) => T): T;
  /** Runs an operation of Temporal's codec protocol in a span. */
  operation<T>(name: 'decode' | 'encode', namespace: string, work: () => Promise<T>): Promise<T>;
}

const methods = new Set(['GET', 'HEAD', 'OPTIONS', 'POST']);

/**
 * Returns a request's method, or `other` if no route has this method, because callers choose the method, but
 * the number of label values must stay small.
 */
export const knownMethod = (method: string): string => (methods.has(method) ? method : 'other');

/** Cloud KMS's methods for the codec's operations. `describe` also lists the versions. */
const kmsMethods: Readonly<Record<KmsCall['operation'], string>> = {
  wrap: 'Encrypt',
  unwrap: 'Decrypt',
  describe: 'GetCryptoKey',
};

const countsKey = createContextKey('temporal-kms counts');

/** Counts payloads by format or reason code. The counts become attributes when the span ends. */
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
 * Returns functions that create the server's spans.
 * @param named the configured namespaces. Any other namespace becomes `other`, because callers can choose it.
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

/** If several requests wait for a call, the span belongs to the request that started the call. */
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
