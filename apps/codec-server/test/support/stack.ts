import { type Audit, createAudit } from '@temporal-kms/audit';
import type { AuditEntry } from '@temporal-kms/codec-api';
import {
  combineObservers,
  createKmsCodec,
  type DataKeyLimits,
  KeyRules,
  type KmsCodec,
  type NamespaceRule,
} from '@temporal-kms/kms-codec';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import type { temporal } from '@temporalio/proto';
import { pino } from 'pino';
import { type AppDeps, createApp } from '../../src/app.ts';
import { type Access, openAccess } from '../../src/access/access.ts';
import { listen, type RunningServer } from '../../src/server/listen.ts';
import { HttpError } from '../../src/errors.ts';
import { buildPayloads } from '../../src/json/payload-json.ts';
import { startTextThreads } from '../../src/history/text-threads.ts';
import { createKeyUsage, type KeyUsage } from '../../src/observability/key-usage.ts';
import { kmsCharges } from '../../src/observability/kms-calls.ts';
import { type KmsHealth, watchKms } from '../../src/observability/kms-health.ts';
import { keepSent, keptAnswer } from './answers.ts';
import { keepForSearch, keepKey } from './leak-search.ts';
import type { TemporalService } from '../../src/temporal/service.ts';

export type Payload = temporal.api.common.v1.IPayload;

const ring = 'projects/test/locations/global/keyRings/temporal-keys/cryptoKeys';
export const keys = { payments: `${ring}/payments`, orders: `${ring}/orders` } as const;

export const HOST = '127.0.0.1:8088';
export const PAGE = 'https://temporal.example.com';
/** The headers of a request in `payments`. */
export const headers = { host: HOST, 'content-type': 'application/json', 'x-namespace': 'payments' };

export interface Kms {
  /** All branch keys and data keys that Cloud KMS has wrapped or unwrapped for any process. */
  readonly keyBytes: readonly Uint8Array[];
  readonly emulator: Emulator;
  readonly codec: KmsCodec;
  readonly watch: KmsHealth;
  readonly use: KeyUsage;
  /**
   * Returns a codec like the codec of another process, with the same Cloud KMS and configuration but empty
   * caches.
   * @param waitMs how many milliseconds an operation waits for Cloud KMS. Default: 2,000
   */
  another(
    limits?: Partial<DataKeyLimits>,
    waitMs?: number,
  ): {
    readonly codec: KmsCodec;
    readonly watch: KmsHealth;
    readonly use: KeyUsage;
    [Symbol.asyncDispose](): Promise<void>;
  };
  close(): Promise<void>;
}

const KEY_BYTES = 32;
/** The wrapped plaintext of a branch key begins with a version and a date. */
const BRANCH_KEY_AT = 7;

/** Starts Cloud KMS and a codec that uses it, by default for the namespaces `payments` and `orders`. */
export async function startKms(
  rules: Record<string, NamespaceRule> = both,
  byDefault?: NamespaceRule,
): Promise<Kms> {
  const keyBytes: Uint8Array[] = [];
  const emulator = await startEmulator({
    keys: Object.values(keys),
    plaintext: (bytes) => {
      // In the direct format, the plaintext is a payload, not a key.
      if (bytes.length !== KEY_BYTES && bytes.length !== BRANCH_KEY_AT + KEY_BYTES) return;
      const key = bytes.subarray(-KEY_BYTES);
      keyBytes.push(key);
      keepKey(key);
    },
  });
  const another: Kms['another'] = (limits, waitMs = 2_000) => {
    const watch = watchKms();
    const use = createKeyUsage();
    const codec = createKmsCodec(
      {
        rules: new KeyRules(rules, byDefault),
        emulatorHost: emulator.address,
        format: undefined,
        compression: undefined,
        bindWorkflow: true,
      },
      // This wait is shorter than the default of five seconds, to speed up tests of outages, but long enough
      // for a busy machine.
      {
        observer: combineObservers(watch.observer, use.observer, kmsCharges),
        waitMs: { other: waitMs },
        ...(limits && { limits }),
      },
    );
    return { codec, watch, use, [Symbol.asyncDispose]: () => codec.close() };
  };
  const own = another();
  const close = async (): Promise<void> => {
    await own.codec.close();
    await emulator.close();
  };
  return { emulator, keyBytes, codec: own.codec, watch: own.watch, use: own.use, another, close };
}

const both = { payments: { encrypt: keys.payments }, orders: { encrypt: keys.orders } };

/** A Temporal service that must not be called, because every call fails the test. */
export const noTemporal: TemporalService = new Proxy<any>(
  {},
  {
    get: (_, call) => () => {
      throw new Error(`The server called Temporal: ${String(call)}`);
    },
  },
);

/** Records log lines for the search for secrets after the run. */
const searchedLog = pino({ level: 'trace', base: null }, { write: keepForSearch });

/** Returns an audit whose entries the test can read. Writing an entry fails if `isWritable` returns false. */
export function recordedAudit(isWritable: (entry: AuditEntry) => boolean = () => true): {
  audit: Audit;
  entries: AuditEntry[];
} {
  const entries: AuditEntry[] = [];
  const write = async (entry: AuditEntry): Promise<void> => {
    if (!isWritable(entry)) throw new HttpError(503, 'audit_unavailable', 'No audit.');
    entries.push(entry);
  };
  return { audit: createAudit({ write }), entries };
}

/** The worker threads of all applications in the test's process. The threads end with the process. */
export const threads = startTextThreads();

export function appWith(
  kms: Pick<Kms, 'codec' | 'watch' | 'use'>,
  deps: Partial<AppDeps> = {},
): ReturnType<typeof createApp> {
  const app = createApp({
    codec: kms.codec,
    kms: kms.watch,
    keyUse: kms.use,
    emulator: true,
    temporal: noTemporal,
    threads,
    defaultNamespace: 'payments',
    access: openAccess,
    audit: createAudit({ write: () => Promise.resolve() }),
    hosts: [HOST],
    corsOrigins: [PAGE],
    pathPrefix: '',
    log: searchedLog,
    stopping: new AbortController().signal,
    ...deps,
  });
  const answer = app.fetch;
  app.fetch = async (request, bindings, ...more) => {
    const onPort = bindings !== undefined && 'outgoing' in bindings ? bindings.outgoing : undefined;
    if (onPort !== undefined) keepSent(onPort);
    const response = await answer(request, bindings, ...more);
    return onPort === undefined ? keptAnswer(request, response) : response;
  };
  return app;
}

/**
 * Sends a POST request to an application.
 * @param body text, or a value that is sent as JSON
 * @param more further headers; they override the default headers, which are for the namespace `payments`
 */
export const post = async (
  app: ReturnType<typeof createApp>,
  path: string,
  body: unknown,
  more: Record<string, string> = {},
): Promise<Response> =>
  app.request(path, {
    method: 'POST',
    headers: { ...headers, ...more },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

/** Serves the application on a port, like the server process. */
export const serve = (kms: Kms, deps: Partial<AppDeps>): Promise<RunningServer> =>
  listen({
    host: '127.0.0.1',
    port: 0,
    app: (port) => appWith(kms, { hosts: [`127.0.0.1:${port}`], ...deps }),
  });

/** An `Access` that rejects every caller. */
export const noAccess: Access = {
  ...openAccess,
  open: false,
  authenticate: () => {
    throw new HttpError(401, 'unauthenticated', 'Sign in.');
  },
};

export const text = (value: string): Uint8Array => Buffer.from(value);

/** Returns a plaintext payload with a canary, for the search for secrets after the run. */
export const plain = (value: unknown): Payload => ({
  metadata: { encoding: text('json/plain'), note: text('canary-plain') },
  data: text(JSON.stringify(value)),
});

/** Returns the body of a request with these payloads. */
export const bodyOf = (payloads: readonly Payload[]): string => String(buildPayloads(payloads));

/** Returns the message with its last byte changed. */
export function damaged(message: Payload): Payload {
  const data = Buffer.from(message.data ?? []);
  data.writeUInt8(data.readUInt8(data.length - 1) ^ 1, data.length - 1);
  return { ...message, data };
}

/** Returns messages that are each encrypted under a different branch key, as if each came from a different worker. */
export const sealedApart = (kms: Kms, count: number): Promise<Payload[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, n) => {
      await using writer = kms.another();
      // Uses an activity's context, because the codec then waits longer for Cloud KMS, and opening many
      // connections at once can take a while.
      const context = { type: 'activity', namespace: 'payments', workflowId: 'w' } as const;
      const [one] = await writer.codec.encode([plain(`message ${n}`)], context);
      if (one === undefined) throw new RangeError('The codec returned no payload.');
      return one;
    }),
  );
