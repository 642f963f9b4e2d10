import { ApplicationFailure, type Logger } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { KmsCodecError, KmsConfigurationError } from '@temporal-kms/kms-codec';
import {
  createSafeLogger,
  errorFields,
  type SafeLogEntry,
  type SafeLoggerOptions,
} from '../../src/logging.ts';

/** Returns the entries that a logger writes. */
function written(options: SafeLoggerOptions, log: (logger: Logger) => void): SafeLogEntry[] {
  const entries: SafeLogEntry[] = [];
  log(createSafeLogger({ write: (entry) => void entries.push(entry), ...options }));
  return entries;
}

const ofWorker = { sdkComponent: 'worker' };
const hostile = () =>
  new Proxy(
    {},
    {
      get: () => {
        throw new Error('canary');
      },
    },
  );

/** Returns an error like those of Temporal's native client. */
const transportError = (message: string) =>
  Object.assign(new Error(message), {
    name: 'TransportError',
    [Symbol.for('__temporal_isTransportError')]: true,
  });

const fullDisk = () => {
  throw new Error('disk full');
};

describe('createSafeLogger', () => {
  it('drops entries below its level, which is INFO by default', () => {
    const levels = written({}, (logger) => {
      for (const level of ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'] as const)
        logger.log(level, 'x', ofWorker);
      logger.debug('x', ofWorker);
      logger.warn('x', ofWorker);
    }).map(({ level }) => level);
    expect(levels).toEqual(['INFO', 'WARN', 'ERROR', 'WARN']);
  });

  it.each([
    ['Error while processing ActivityTask.start: canary', 'Error while processing ActivityTask.start'],
    ['Workflow Worker Thread failed: Error: canary', 'Workflow Worker Thread failed'],
    ['report\ncanary', 'report'],
    ['Worker state changed', 'Worker state changed'],
  ])('truncates the SDK message %j before the interpolated part', (message, expected) => {
    expect(written({}, (logger) => logger.error(message, ofWorker))).toMatchObject([{ message: expected }]);
  });

  it('keeps Core’s messages and withholds other crates’ messages', () => {
    const entries = written({}, (logger) => {
      logger.warn('Failing workflow task', { sdkComponent: 'core', target: 'temporalio_sdk_core::worker' });
      logger.warn('canary', { sdkComponent: 'core', target: 'h2::codec' });
      logger.warn('canary', { sdkComponent: 'core' });
    });
    expect(entries.map(({ message }) => message)).toEqual([
      'Failing workflow task',
      expect.stringMatching(/^Message withheld/),
      expect.stringMatching(/^Message withheld/),
    ]);
  });

  it.each([undefined, 'workflow', 'activity', 'nexus', 'made-up'])(
    'withholds messages from the component %s unless applicationMessages is set',
    (sdkComponent) => {
      const meta = { workflowId: 'order-1', ...(sdkComponent && { sdkComponent }) };
      const [withheld] = written({}, (logger) => logger.info('canary', meta));
      expect(withheld).toMatchObject({ message: expect.stringMatching(/^Message withheld/), fields: meta });
      const [kept] = written({ applicationMessages: true }, (logger) => logger.info('order shipped', meta));
      expect(kept).toMatchObject({ message: 'order shipped', fields: meta });
    },
  );

  it('keeps the rule’s code in an SDK warning about a workflow', () => {
    const [entry] = written({}, (logger) =>
      logger.warn('[TMPRL1102] Workflow finished canary', { sdkComponent: 'workflow' }),
    );
    expect(entry?.message).toMatch(/^\[TMPRL1102\] Message withheld/);
  });

  it('keeps known attributes with the right type, and requested attributes', () => {
    const meta = {
      ...ofWorker,
      workflowId: { canary: 1 },
      attempt: 'canary',
      isLocal: 'canary',
      memo: 'canary',
      headers: { authorization: 'canary' },
      workflowInfo: { memo: 'canary' },
      details: ['canary'],
      orderId: 'o-1',
      total: 5n,
      list: ['canary'],
    };
    const [entry] = written({ attributes: ['orderId', 'total', 'list'] }, (logger) => logger.info('x', meta));
    expect(entry?.fields).toEqual({ sdkComponent: 'worker', orderId: 'o-1', total: '5' });
  });

  it("keeps some of the SDK's attributes only in the SDK's own entries", () => {
    const meta = {
      workflowId: 'order-1',
      attempt: 2,
      state: 'canary',
      target: 'canary',
      size: 'canary',
      method: 'canary',
      fnName: 'canary',
      ifaceName: 'canary',
      durationMs: 4111,
      workflowExists: true,
    };
    for (const sdkComponent of ['workflow', 'activity', 'nexus']) {
      const [entry] = written({}, (logger) => logger.info('x', { sdkComponent, ...meta }));
      expect(entry?.fields).toEqual({ sdkComponent, workflowId: 'order-1', attempt: 2 });
    }
    const [own] = written({}, (logger) => logger.info('x', { ...ofWorker, ...meta, state: 'RUNNING' }));
    expect(own?.fields).toMatchObject({ state: 'RUNNING', durationMs: 4111 });
  });

  it('limits the length of text and escapes invisible characters', () => {
    const [entry] = written({ applicationMessages: true }, (logger) =>
      logger.info(`a\u202eb\n\u{e0041}${'x'.repeat(1_000)}`, {
        workflowId: '\u200b\u2028' + 'y'.repeat(1_000),
      }),
    );
    expect(entry?.message).toMatch(/^a\\u\{202e\}b\\u\{a\}\\u\{e0041\}x+…$/);
    expect(entry?.message.length).toBeLessThan(300);
    expect(entry?.fields['workflowId']).toMatch(/^\\u\{200b\}\\u\{2028\}y+…$/);
  });

  it('never throws', () => {
    const entries = written({}, (logger) => {
      logger.error('x', hostile());
      logger.error('x', { ...ofWorker, error: hostile() });
      Reflect.apply(Reflect.get(logger, 'error'), logger, [undefined, null]);
    });
    expect(entries).toMatchObject([{ message: 'x', fields: { error: 'object' } }]);
    expect(() => createSafeLogger({ write: hostile }).error('x')).not.toThrow();
    expect(() => createSafeLogger({ write: fullDisk }).error('x')).not.toThrow();
  });
});

describe('errorFields', () => {
  it('returns an error’s name, type and code', () => {
    expect(errorFields(new KmsCodecError('key_disabled', 'the key is disabled'))).toEqual({
      error: 'ApplicationFailure',
      errorType: 'KmsCodecError:key_disabled',
      errorCode: 'key_disabled',
      reason: 'the key is disabled',
    });
    expect(errorFields(Object.assign(new Error('canary'), { code: 'ECONNREFUSED' }))).toEqual({
      error: 'Error',
      errorCode: 'ECONNREFUSED',
    });
    expect(errorFields(Object.assign(new Error('canary'), { code: 14, details: 'canary' }))).toEqual({
      error: 'Error',
      errorCode: 14,
    });
  });

  it.each(['a card 4111', 'line\nbreak', '"canary"', 'ü', 'x'.repeat(101), 4111, undefined])(
    'omits a name or type that is not an identifier: %j',
    (text) => {
      const error = Object.assign(new Error('canary'), { name: text, type: text });
      expect(errorFields(error)).toEqual({ error: 'Error' });
      const failure = Object.assign(ApplicationFailure.create({ message: 'canary' }), { type: text });
      expect(errorFields(failure)).toEqual({ error: 'ApplicationFailure' });
    },
  );

  it('returns a configuration error’s message as one line', () => {
    const error = new KmsConfigurationError(
      'The environment is wrong:\n  GCP_KMS_KEY is missing\n  X\u202e is',
    );
    expect(errorFields(error)).toEqual({
      error: 'KmsConfigurationError',
      reason: 'The environment is wrong: GCP_KMS_KEY is missing; X\\u{202e} is',
    });
  });

  it.each([
    ['ApplicationFailure', ApplicationFailure.create({ message: 'canary', type: 'KmsCodecError:malformed' })],
    ['Error', Object.assign(new Error('canary'), { name: 'KmsConfigurationError' })],
    ['TransportError', transportError('canary')],
    ['TypeError', new TypeError('fn client_new.args[1].targetUrl: canary 4111')],
  ])('omits the message of an %s that only resembles a known error', (_class, error) => {
    expect(JSON.stringify(errorFields(error))).not.toContain('canary');
  });

  it('returns why the connection to Temporal failed, without the native client’s text', () => {
    const texts = [
      'tonic::transport::Error(Transport, ConnectError(ConnectError("tcp connect error", Os { kind: ConnectionRefused })))',
      'Namespace nope was not found or otherwise could not be described: Status { code: NotFound, message: "canary" }',
      'tonic::transport::Error(Transport, PrivateKeyParseError)',
    ];
    const reasons = texts.map((text) => errorFields(transportError(text)).reason);
    expect(reasons).toEqual([
      expect.stringContaining('TEMPORAL_ADDRESS'),
      expect.stringMatching(/^Temporal has no namespace nope: /),
      expect.stringContaining('TEMPORAL_TLS_CLIENT_'),
    ]);
    expect(reasons.join('')).not.toContain('canary');
  });

  it('omits the name and type of a thrown object that is not an error, and the types of errors that are not ApplicationFailures', () => {
    const record = { name: 'canary', type: 'canary', code: 'ECANARY' };
    expect(errorFields({ ...record, cause: record })).toEqual({ error: 'object' });
    expect(errorFields(new Error('x', { cause: record }))).toEqual({ error: 'Error', causes: ['object'] });
    expect(errorFields(Object.assign(new Error('x'), { type: 'canary@example.com' }))).toEqual({
      error: 'Error',
    });
    const failure = ApplicationFailure.create({ type: 'OutOfStock' });
    expect(errorFields(failure)).toEqual({ error: 'ApplicationFailure', errorType: 'OutOfStock' });
  });

  it('never throws', () => {
    const revoked = Proxy.revocable([], {});
    revoked.revoke();
    const { proxy } = revoked;
    expect(errorFields(proxy)).toEqual({ error: 'object' });
    expect(errorFields(Object.assign(new Error('x'), { errors: proxy, cause: proxy }))).toEqual({
      error: 'Error',
      causes: ['object'],
    });
  });

  it.each(['V-4711', 'secret', 4111, -1, {}])('omits the code %j, which is not known', (code) => {
    expect(errorFields(Object.assign(new Error('canary'), { code }))).toEqual({ error: 'Error' });
  });

  it('lists causes and aggregated errors at any depth, and stops at cycles', () => {
    const looped: Error = new TypeError('canary');
    const failure = ApplicationFailure.create({ message: 'canary', type: 'Inner', details: ['canary'] });
    looped.cause = new AggregateError(
      [new RangeError('canary', { cause: failure }), looped, 'canary'],
      'canary',
    );
    expect(errorFields(new Error('canary', { cause: looped }))).toEqual({
      error: 'Error',
      causes: ['TypeError', 'AggregateError', 'RangeError', 'ApplicationFailure Inner'],
    });
  });

  it('lists at most eight causes', () => {
    let error = new Error('canary');
    for (let depth = 0; depth < 10_000; depth++) error = new Error('canary', { cause: error });
    expect(errorFields(error).causes).toHaveLength(8);
    const wide = new AggregateError(Array.from({ length: 100_000 }, () => new Error('canary')));
    expect(errorFields(wide).causes).toHaveLength(8);
  });

  it.each([
    ['canary', 'string'],
    [4111, 'number'],
    [null, 'object'],
    [undefined, 'undefined'],
  ])('returns the type of the thrown value %j, which is not an object', (thrown, error) => {
    expect(errorFields(thrown)).toEqual({ error });
  });
});
