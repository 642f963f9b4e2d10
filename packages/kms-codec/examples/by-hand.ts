import { KmsCodecError, loadKmsCodec } from '@temporal-kms/kms-codec';
import { defaultPayloadConverter } from '@temporalio/common';

const codec = loadKmsCodec({ namespace: 'default' });
const context = { namespace: 'default' };

const encrypted = await codec.encode([defaultPayloadConverter.toPayload('card 4111')], context);
console.log(codec.inspect(encrypted[0]!, context).format);

const { payload, info } = await codec.decrypt(encrypted[0]!, context);
console.log(defaultPayloadConverter.fromPayload(payload), info.keyVersion);

// If a codec is configured with a namespace, a context that names another namespace does not let it read that
// other namespace's messages.
const another = { namespace: 'another' };
try {
  await codec.decode(await codec.encode([defaultPayloadConverter.toPayload('card 4111')], another), another);
} catch (error) {
  if (!(error instanceof KmsCodecError)) throw error;
  console.log(error.code, error.class);
}
await codec.close();
