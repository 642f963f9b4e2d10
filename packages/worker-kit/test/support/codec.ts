import { KeyRules, KmsCodec, type KmsCodecOptions, type NamespaceRule } from '@temporal-kms/kms-codec';
import type { Payload } from '@temporalio/common';
import { FakeKeyService } from './fake-key-service.ts';

export const cryptoKey = (name: string) => `projects/p/locations/global/keyRings/r/cryptoKeys/${name}`;

/** Creates a codec whose clock does not advance by itself. */
export function codecWith(
  namespaces: Record<string, NamespaceRule>,
  { keyService = new FakeKeyService(), ...options }: Partial<KmsCodecOptions> = {},
) {
  const codec = new KmsCodec({
    rules: new KeyRules(namespaces),
    now: () => 1_000_000,
    waitMs: { activity: 400, other: 200 },
    ...options,
    keyService,
  });
  return { codec };
}

export const json = (value: unknown): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(value)),
});

export const valueOf = (payload: Payload | undefined): unknown =>
  JSON.parse(Buffer.from(payload?.data ?? []).toString());

export const inNamespace = (namespace: string) => ({ type: 'workflow' as const, namespace });
