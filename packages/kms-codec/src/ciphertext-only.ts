import type { KmsCodec } from './codec.ts';
import { KmsCodecError } from './errors.ts';
import type { Format } from './formats/format.ts';
import { messageHeader } from './formats/message-header.ts';
import type { Payload } from './formats/payload.ts';

/** Temporal's `StorageDriver`, which SDKs before 1.21 do not declare. */
export interface PayloadStorageDriver<StoreContext, RetrieveContext, Claim> {
  readonly name: string;
  readonly type: string;
  store(context: StoreContext, payloads: Payload[]): Promise<Claim[]>;
  retrieve(context: RetrieveContext, claims: Claim[]): Promise<Payload[]>;
}

/** The part of Temporal's `StorageDriverStoreContext` that {@link ciphertextOnly} reads. */
export interface PayloadStoreContext {
  readonly target?: { readonly namespace: string } | undefined;
}

/**
 * Returns a driver for Temporal's external storage. The driver stores a payload only if `codec` has encrypted
 * it. Otherwise, for example if a client lacks the plugin or another codec encodes after this codec, `store`
 * throws a {@link KmsCodecError} `format_not_allowed` and stores none of the call's payloads. Plaintext
 * passes only if the namespace's rule has `plaintext: pass`.
 *
 * @example
 * const driver = ciphertextOnly(new S3StorageDriver({ client, bucket }), codec);
 * const dataConverter = { externalStorage: new ExternalStorage({ drivers: [driver] }) };
 */
export const ciphertextOnly = <StoreContext extends PayloadStoreContext, RetrieveContext, Claim>(
  driver: PayloadStorageDriver<StoreContext, RetrieveContext, Claim>,
  codec: KmsCodec,
): PayloadStorageDriver<StoreContext, RetrieveContext, Claim> => ({
  name: driver.name,
  type: driver.type,
  async store(context, payloads) {
    for (const payload of payloads) requireCiphertext(payload, codec, context.target?.namespace);
    return await driver.store(context, payloads);
  },
  retrieve: (context, claims) => driver.retrieve(context, claims),
});

/**
 * The formats whose metadata does not prove encryption. For these, the codec itself must accept the payload.
 */
const accepted: ReadonlySet<Format> = new Set(['plain', 'envelope', 'direct']);

function requireCiphertext(payload: Payload, codec: KmsCodec, namespace: string | undefined): void {
  const { format, reason } = codec.inspect(payload, namespace === undefined ? undefined : { namespace });
  if (accepted.has(format) && reason === undefined) return;
  if (format === 'envelope-v2' && reason !== 'malformed' && hasHeader(payload)) return;
  throw new KmsCodecError(
    'format_not_allowed',
    `External storage received a payload${namespace === undefined ? '' : ` of the namespace ${namespace}`} that ` +
      'this codec has not encrypted, and did not store it. Give the client or worker the plugin, and list no codec ' +
      'after KmsCodec in payloadCodecs',
  );
}

/**
 * Returns whether the data starts with a valid header. The codec itself does not check the header if the
 * message's namespace is not configured.
 */
function hasHeader({ data }: Payload): boolean {
  try {
    messageHeader(data ?? new Uint8Array());
    return true;
  } catch {
    return false;
  }
}
