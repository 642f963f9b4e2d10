import { StorageContextManager } from '@temporal-kms/testing/trace';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSafeLogger, type SafeLogEntry, withTraceContext, writeToLog } from '../../src/logging.ts';
import { codecWith, cryptoKey, inNamespace, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';

const span = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1 };
const ids = { trace_id: span.traceId, span_id: span.spanId, trace_flags: '01' };

const inSpan = <T>(work: () => T): T =>
  context.with(trace.setSpan(ROOT_CONTEXT, trace.wrapSpanContext(span)), work);
afterEach(() => context.disable());

describe('withTraceContext', () => {
  it('adds the active span’s ids to an entry', async () => {
    context.setGlobalContextManager(new StorageContextManager());
    const entries: SafeLogEntry[] = [];
    const write = withTraceContext((entry) => void entries.push(entry));
    const entry = { level: 'INFO', message: 'New key in use', fields: { namespace: 'pay' } } as const;
    await vi.waitFor(() => {
      entries.length = 0;
      inSpan(() => write(entry));
      expect(entries).toEqual([{ ...entry, fields: { ...ids, namespace: 'pay' } }]);
    }, 10_000);
    write(entry);
    expect(entries[1]).toBe(entry);
  });
});

describe('a Cloud KMS call', () => {
  it('belongs to the span in which a payload is encoded', async () => {
    context.setGlobalContextManager(new StorageContextManager());
    const active: unknown[] = [];
    const keyService = new FakeKeyService();
    const wrap = keyService.wrap.bind(keyService);
    keyService.wrap = (request) => {
      active.push(trace.getActiveSpan()?.spanContext().spanId);
      return wrap(request);
    };
    const { codec } = codecWith({ pay: { encrypt: cryptoKey('pay') } }, { keyService });
    await inSpan(() => codec.encode([json(1)], inNamespace('pay')));
    expect(active).toEqual([span.spanId]);
    await codec.close();
  });
});

const fieldsOf = (meta: Record<string, unknown>) => {
  const entries: SafeLogEntry[] = [];
  createSafeLogger({ write: (entry) => void entries.push(entry) }).info('Activity started', meta);
  return entries[0]?.fields;
};

describe('createSafeLogger', () => {
  it("keeps the ids that Temporal's OpenTelemetry interceptors add", () => {
    expect(fieldsOf({ sdkComponent: 'activity', ...ids })).toMatchObject(ids);
    expect(fieldsOf({ sdkComponent: 'worker', ...ids })).toMatchObject(ids);
  });

  it('drops a trace_id, span_id or trace_flags that is not an id, because code may use these names for other values', () => {
    const other = { trace_id: 'card-4111', span_id: 4_111, trace_flags: 'SECRET' };
    expect(Object.keys(fieldsOf({ sdkComponent: 'activity', ...other }) ?? {})).toEqual(['sdkComponent']);
  });
});

describe('writeToLog', () => {
  it('calls the level’s method with the fields and the message', () => {
    const methods = { trace: vi.fn(), debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    writeToLog(methods)({ level: 'WARN', message: 'Activity failed', fields: { attempt: 2 } });
    expect(methods.warn.mock.calls).toEqual([[{ attempt: 2 }, 'Activity failed']]);
    expect(methods.info).not.toHaveBeenCalled();
  });
});
