import { KeyManagementServiceClient } from '@google-cloud/kms';
import { credentials } from '@grpc/grpc-js';

/** Google's own client, as it is, talking to an emulator's address. */
export function connect(address: string): KeyManagementServiceClient {
  const separator = address.lastIndexOf(':');
  return new KeyManagementServiceClient({
    apiEndpoint: address.slice(0, separator),
    port: Number(address.slice(separator + 1)),
    sslCreds: credentials.createInsecure(),
    clientOptions: { universeDomain: 'googleapis.com' },
  });
}

/** What a refused call was refused with. */
export interface Refusal {
  readonly code: number;
  readonly details: string;
  readonly statusDetails?: readonly object[];
}

/** The refusal of a call that must not succeed. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    if (isRefusal(error)) return error;
    throw error;
  }
  throw new Error('The call was answered; a refusal was expected.');
}

/** The bytes of a response's field; the client declares that it may be base64, and never is. */
export function asBuffer(data: Uint8Array | string | null | undefined): Buffer {
  if (data instanceof Uint8Array) return Buffer.from(data);
  throw new TypeError('The answer has no bytes here.');
}

/** No retries: a test wants to see the first answer. */
export const once = { retry: null, timeout: 10_000 };

const isRefusal = (error: unknown): error is Refusal & Error =>
  error instanceof Error && 'code' in error && typeof error.code === 'number';
