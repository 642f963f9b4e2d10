import { onTestFinished, vi } from 'vitest';
import { GoogleClient, type KmsClient } from '../../src/keys/google-client.ts';

const method = () => vi.fn<(request: object, options: object) => Promise<readonly [unknown]>>();

/** Replaces Google's client with a client whose responses the test sets, until the test ends. */
export function scriptedClient() {
  const client = {
    encrypt: method(),
    decrypt: method(),
    getCryptoKey: method(),
    getCryptoKeyVersion: method(),
    listCryptoKeyVersions: method(),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `CloudKms` calls only these methods.
  const ready = vi.spyOn(GoogleClient.prototype, 'ready').mockResolvedValue(client as unknown as KmsClient);
  const replace = vi.spyOn(GoogleClient.prototype, 'replace').mockReturnValue();
  const close = vi.spyOn(GoogleClient.prototype, 'close').mockResolvedValue();
  onTestFinished(() => {
    for (const spy of [ready, replace, close]) spy.mockRestore();
  });
  return { ...client, replace, close };
}

/** Creates an error as Google's client throws it. */
export const grpcError = (code: number, statusDetails?: readonly unknown[]) =>
  Object.assign(new Error('canary'), { code, ...(statusDetails && { statusDetails }) });
