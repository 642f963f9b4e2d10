export { BranchKeyStoreError } from './branch-keys/store.ts';
export type { BranchKeyStore, BranchKeyStoreCode, StoredValue } from './branch-keys/store.ts';
export { KmsCodec } from './codec.ts';
export type { KeyState } from './keys/key-state.ts';
export type { InputAttempt, WorkerAttempts } from './attempts.ts';
export type { CodecContext, KmsCodecOptions, WritableFormat } from './codec-options.ts';
export type { AttemptWaits } from './keys/wait-budget.ts';
export { KmsConfigurationError } from './configuration-error.ts';
export { KmsCodecError, reasonClass, reasonCodes, reasons } from './errors.ts';
export type { KmsCodecErrorOptions, Reason, ReasonClass, ReasonCode } from './errors.ts';
export type { Format } from './formats/format.ts';
export { cryptoKeyId, messageKey } from './formats/message-key.ts';
export type { MessageKey } from './formats/message-key.ts';
export { headerTags, messageHeader } from './formats/message-header.ts';
export type { MessageHeader } from './formats/message-header.ts';
export type { DecryptedPayload, EncodedWithInfo, PayloadInfo } from './formats/formats.ts';
export { CloudKms } from './keys/cloud-kms.ts';
export type { CloudKmsOptions } from './keys/cloud-kms.ts';
export { KeyRules } from './keys/key-rules.ts';
export type { EncryptedFormat, NamespaceRule, PlaintextRule, ResolvedRule } from './keys/key-rules.ts';
export type { CallOptions, InnerKmsCalls, InnerLayer, PlaintextBudget } from './call-options.ts';
export type {
  KeyDescription,
  KeyService,
  KeyVersionState,
  UnwrapRequest,
  Wrapped,
  WrapRequest,
} from './keys/key-service.ts';
export { defaultLimits } from './keys/limits.ts';
export type { DataKeyLimits } from './keys/limits.ts';
export { createKmsCodec, kmsEnvironment, loadKmsCodec } from './config/load.ts';
export type { KmsCodecExtras, KmsSettings } from './config/load.ts';
export { combineObservers } from './observer.ts';
export type { KmsCall, Observer } from './observer.ts';
export type { DecodePlan } from './plan.ts';
export { renewedMeter } from './metrics/renewed-meter.ts';
export type { RenewedMeter } from './metrics/renewed-meter.ts';
export { reportMetrics } from './metrics/report.ts';
export type { CodecMeter, CodecMetrics, SeriesLabels } from './metrics/report.ts';
export { KmsCodecPlugin } from './plugin.ts';
export type { ConvertingOptions, WorkerConvertingOptions, KmsCodecPluginOptions } from './plugin.ts';
export { ciphertextOnly } from './ciphertext-only.ts';
export type { PayloadStorageDriver, PayloadStoreContext } from './ciphertext-only.ts';
