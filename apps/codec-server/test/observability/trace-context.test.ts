import { setTimeout as sleep } from 'node:timers/promises';
import { StorageContextManager } from '@temporal-kms/testing/trace';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { createLog } from '../../src/observability/log.ts';
import { inTraceOf } from '../../src/observability/trace-context.ts';
import { forFile } from '../support/for-file.ts';
import { appWith, HOST, startKms } from '../support/stack.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${spanId}-01`;
const ids = { trace_id: traceId, span_id: spanId, trace_flags: '01' };

function linesOf() {
  const lines: Record<string, unknown>[] = [];
  return { lines, log: createLog('debug', { write: (line: string) => void lines.push(JSON.parse(line)) }) };
}

const kms = forFile(await startKms());

describe('the codec-server log', () => {
  it('adds the caller’s trace id only to the log lines of the caller’s request', async () => {
    const { log, lines } = linesOf();
    const app = appWith(kms, { log });
    const ask = (headers: Record<string, string>) =>
      app.request('/nowhere', { headers: { host: HOST, ...headers } });
    await Promise.all([ask({ traceparent }), ask({})]);
    expect(lines.filter(({ trace_id }) => trace_id !== undefined)).toMatchObject([
      { message: 'request', status: 404, ...ids },
    ]);
    expect(lines).toHaveLength(2);
  });

  it('adds no trace id to a line that counts requests of several callers', async () => {
    const { log, lines } = linesOf();
    const stopping = new AbortController();
    const app = appWith(kms, { log, stopping: stopping.signal });
    for (let n = 0; n < 12; n += 1) await app.request('/nowhere', { headers: { host: HOST, traceparent } });
    stopping.abort();
    expect(lines.at(-1)).toMatchObject({ count: 2 });
    expect(lines.at(-1)).not.toHaveProperty('trace_id');
  });

  it.each([
    ['an unknown form', 'trace me'],
    ['a version that does not exist', `ff-${traceId}-${spanId}-01`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${traceId.toUpperCase()}-${spanId}-01`],
    ['more fields than its version permits', `${traceparent}-00`],
  ])('ignores a traceparent with %s', (_, header) => {
    const { log, lines } = linesOf();
    inTraceOf(header, () => log.info('a line'));
    expect(lines[0]).not.toHaveProperty('trace_id');
  });

  it('accepts a traceparent of a later version with additional fields', () => {
    const { log, lines } = linesOf();
    inTraceOf(`01-${traceId}-${spanId}-01-more`, () => log.info('a line'));
    expect(lines[0]).toMatchObject(ids);
  });
});

describe("the log with OpenTelemetry's SDK", () => {
  afterEach(() => context.disable());

  it('prefers the active span to the caller’s span', async () => {
    context.setGlobalContextManager(new StorageContextManager());
    const { log, lines } = linesOf();
    const span = trace.wrapSpanContext({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 0 });
    await inTraceOf(traceparent, () =>
      context.with(trace.setSpan(ROOT_CONTEXT, span), async () => {
        await sleep(1);
        log.info('a line');
      }),
    );
    expect(lines[0]).toMatchObject({ trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16), trace_flags: '00' });
  });
});
