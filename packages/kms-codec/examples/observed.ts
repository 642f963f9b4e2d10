import { loadKmsCodec, type Observer } from '@temporal-kms/kms-codec';

const observer: Observer = {
  kmsCall: ({ operation, milliseconds, code }) => console.log(`${operation} ${code ?? 'ok'}`, milliseconds),
  dataKeyRotated: ({ namespace, keyVersion, reason, origin }) =>
    console.log(`new branch key for ${namespace}`, keyVersion, reason, origin),
  dataKeyRefreshFailed: ({ namespace, code }) => console.error(`no new branch key for ${namespace}: ${code}`),
  refused: ({ namespace, code }) => console.error(`refused in ${namespace}: ${code}`),
  notEncrypted: ({ namespace }) => console.error(`plaintext in ${namespace}`),
};
const codec = loadKmsCodec({ observer });
await codec.warm();
await codec.close();
