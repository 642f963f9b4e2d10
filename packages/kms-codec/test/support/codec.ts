import proto from '@temporalio/proto';
import { asPlaintext } from '../../src/crypto/plaintext.ts';
import { KmsCodec, type KmsCodecOptions, KeyRules, type NamespaceRule } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { FakeKeyService } from './fake-key-service.ts';

export const cryptoKey = (name: string) => `projects/p/locations/global/keyRings/r/cryptoKeys/${name}`;

/** Creates a codec with the fake key service and a clock that the test sets. */
export function codecWith(
  namespaces: Record<string, NamespaceRule>,
  options: Partial<KmsCodecOptions> & { keyService?: FakeKeyService; default?: NamespaceRule } = {},
) {
  const keyService = options.keyService ?? new FakeKeyService();
  const clock = { time: 1_000_000 };
  const { default: byDefault, ...rest } = options;
  const codec = new KmsCodec({
    rules: new KeyRules(namespaces, byDefault),
    now: () => clock.time,
    waitMs: { activity: 400, other: 200 },
    ...rest,
    keyService,
  });
  return { codec, keyService, clock };
}

/** Serializes a payload with protobuf's writer. */
export const serialize = (payload: Payload) =>
  asPlaintext(proto.temporal.api.common.v1.Payload.encode(payload).finish());

export const json = (value: unknown): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(value)),
});

export const valueOf = (payload: Payload | undefined): unknown =>
  JSON.parse(Buffer.from(payload?.data ?? []).toString());

export const inNamespace = (namespace: string, workflowId?: string) => ({
  type: 'workflow' as const,
  namespace,
  ...(workflowId !== undefined && { workflowId }),
});
