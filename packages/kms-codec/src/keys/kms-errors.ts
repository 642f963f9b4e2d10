import { KmsCodecError, type ReasonCode } from '../errors.ts';
import type { KeyVersionState } from './key-service.ts';

/** What gax rejects with: gRPC's status, and its details decoded. */
interface ServiceError extends Error {
  readonly code: number;
  readonly statusDetails?: readonly unknown[];
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && typeof error.code === 'number';

// https://grpc.io/docs/guides/status-codes/
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const OUT_OF_RANGE = 11;
const UNAUTHENTICATED = 16;

/** A gRPC status without its text, which may name addresses: a codec error's cause ends up in Temporal's history. */
class KmsStatus extends Error {
  readonly grpcCode: number;

  constructor(grpcCode: number) {
    super(`Cloud KMS answered with gRPC status ${grpcCode}`);
    this.name = 'KmsStatus';
    this.grpcCode = grpcCode;
  }
}

export const isInvalidArgument = (error: unknown): boolean =>
  isServiceError(error) && error.code === INVALID_ARGUMENT;

export const isFailedPrecondition = (error: unknown): boolean =>
  isServiceError(error) && error.code === FAILED_PRECONDITION;

/**
 * Maps an error of the Cloud KMS client by its status code and details, never by its text, which Google may change.
 * @param operation an INVALID_ARGUMENT means changed bytes on unwrap, a wrong name or purpose on wrap
 * @param state of the key version, where somebody could ask; a FAILED_PRECONDITION doesn't always say it
 */
export function mapKmsError(
  error: unknown,
  operation: 'wrap' | 'unwrap' | 'describe',
  key: string,
  keyVersion: number | undefined,
  state?: KeyVersionState,
): KmsCodecError {
  if (error instanceof KmsCodecError) return error;
  const grpcCode = isServiceError(error) ? error.code : 2;
  const options = { key, keyVersion, cause: new KmsStatus(grpcCode) };
  const version = keyVersion === undefined ? key : `${key} version ${keyVersion}`;
  const fail = (code: ReasonCode, message: string) => new KmsCodecError(code, message, options);
  switch (grpcCode) {
    case INVALID_ARGUMENT:
    case OUT_OF_RANGE:
      return operation === 'unwrap'
        ? fail(
            'integrity_failed',
            `Cloud KMS can't open this message with ${key}: it was changed or made under another key`,
          )
        : fail(
            'key_not_found',
            `Cloud KMS refuses ${key}: check its name and that its purpose is ENCRYPT_DECRYPT`,
          );
    case NOT_FOUND:
      return fail('key_not_found', `Cloud KMS knows no ${key}`);
    case PERMISSION_DENIED:
    case UNAUTHENTICATED:
      return fail(
        'permission_denied',
        `This identity may not ${verb[operation]} ${key}, or the key doesn't exist`,
      );
    case RESOURCE_EXHAUSTED:
      return fail('kms_quota', `Cloud KMS refused the rate of calls for ${key}`);
    case FAILED_PRECONDITION:
      return fail(
        codeOfState[state ?? ''] ?? 'key_disabled',
        `${version} can't be used: ${stateText(state)}`,
      );
    default:
      return fail('kms_unavailable', `Cloud KMS didn't answer for ${key} (gRPC status ${grpcCode})`);
  }
}

const verb = { wrap: 'encrypt with', unwrap: 'decrypt with', describe: 'look at' } as const;

const codeOfState: Readonly<Record<string, ReasonCode>> = {
  DISABLED: 'key_disabled',
  DESTROY_SCHEDULED: 'key_destroy_scheduled',
  DESTROYED: 'key_destroyed',
  PENDING_EXTERNAL_DESTRUCTION: 'key_destroyed',
  EXTERNAL_DESTRUCTION_FAILED: 'key_destroyed',
  PENDING_GENERATION: 'kms_unavailable',
  PENDING_IMPORT: 'key_disabled',
};

const stateText = (state: KeyVersionState | undefined) =>
  state ? `its state is ${state}` : 'it is not enabled (this identity may not ask for its state)';
