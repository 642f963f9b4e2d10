import { KeyManagementServiceClient } from '@google-cloud/kms';
import { credentials } from '@grpc/grpc-js';
import { PassThroughClient } from 'google-auth-library';

/**
 * Call options without retries, because a test needs the first response. Generating an RSA key blocks the process for
 * seconds, or longer on a busy machine.
 */
export const once = { retry: null, timeout: 60_000 };

/** Returns a client whose calls use the options {@link once} by default. */
export const withoutRetries = (client: KeyManagementServiceClient): KeyManagementServiceClient =>
  new Proxy(client, {
    get(target, name): unknown {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown =>
        Reflect.apply(
          member,
          target,
          args.length === 1 && typeof args[0] === 'object' ? [...args, once] : args,
        );
    },
  });

/** Connects Google's unmodified client to an emulator. */
export function connect(
  address: string,
  sslCreds = credentials.createInsecure(),
): KeyManagementServiceClient {
  const separator = address.lastIndexOf(':');
  return withoutRetries(
    new KeyManagementServiceClient({
      apiEndpoint: address.slice(0, separator),
      port: Number(address.slice(separator + 1)),
      sslCreds,
      clientOptions: { universeDomain: 'googleapis.com' },
    }),
  );
}

/**
 * Connects Google's unmodified client to the REST API of an emulator.
 *
 * @param url such as `http://127.0.0.1:9061`
 */
export function connectRest(url: string): KeyManagementServiceClient {
  const { protocol, hostname, port } = new URL(url);
  return withoutRetries(
    new KeyManagementServiceClient({
      fallback: true,
      protocol: protocol.replace(':', ''),
      apiEndpoint: hostname,
      port: Number(port),
      // The client sends no request without credentials. The emulator ignores the credentials.
      authClient: new PassThroughClient(),
      universeDomain: 'googleapis.com',
    }),
  );
}

/** The error of a refused call. */
export interface Refusal {
  readonly code: number;
  readonly details: string;
  readonly statusDetails?: readonly object[];
}

/** Returns the error of a call that must fail. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    // Over REST, the client puts the error's text into `message`, and the error's typed details into
    // `details`.
    if (isRefusal(error))
      return typeof error.details === 'string' ? error : Object.assign(error, { details: error.message });
    // Over REST, a malformed name does not reach the emulator.
    if (error instanceof Error && error.message.startsWith('Cannot build HTTP request'))
      return { code: 3, details: error.message };
    throw error;
  }
  throw new Error('The call succeeded, but the test expects a refusal.');
}

/** Returns the gRPC code of a call that must fail. */
export const refusalCode = async (call: Promise<unknown>): Promise<number> => (await refusal(call)).code;

/**
 * Returns the bytes of a response field. The field's type permits base64 text, which the client never
 * returns.
 */
export function asBuffer(data: Uint8Array | string | null | undefined): Buffer {
  if (data instanceof Uint8Array) return Buffer.from(data);
  throw new TypeError('The response field contains no bytes.');
}

const isRefusal = (error: unknown): error is Refusal & Error =>
  error instanceof Error && 'code' in error && typeof error.code === 'number';
