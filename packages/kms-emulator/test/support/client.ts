import { KeyManagementServiceClient } from '@google-cloud/kms';
import { credentials } from '@grpc/grpc-js';

/** Connects Google's client, unmodified, to an emulator. */
export function connect(address: string): KeyManagementServiceClient {
  const separator = address.lastIndexOf(':');
  return new KeyManagementServiceClient({
    apiEndpoint: address.slice(0, separator),
    port: Number(address.slice(separator + 1)),
    sslCreds: credentials.createInsecure(),
    clientOptions: { universeDomain: 'googleapis.com' },
  });
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
    if (isRefusal(error)) return error;
    throw error;
  }
  throw new Error('The call succeeded, but the test expects a refusal.');
}

/** Returns the bytes of a response field. The client's type permits base64 texts, which it never returns. */
export function asBuffer(data: Uint8Array | string | null | undefined): Buffer {
  if (data instanceof Uint8Array) return Buffer.from(data);
  throw new TypeError('The response field contains no bytes.');
}

/** Call options without retries, because a test needs the first response. */
export const once = { retry: null, timeout: 10_000 };

const isRefusal = (error: unknown): error is Refusal & Error =>
  error instanceof Error && 'code' in error && typeof error.code === 'number';
