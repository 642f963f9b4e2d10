import { isServiceError, propertyOf, type ServiceError } from '@temporal-kms/node-utils/error-details';
import { KmsCodecError, type ReasonCode } from '../errors.ts';
import type { KeyVersionState } from './key-service.ts';

/** The reason codes of failed Cloud KMS calls. */
export const kmsCallCodes = [
  'kms_quota',
  'kms_unavailable',
  'checksum_mismatch',
  'key_disabled',
  'key_destroy_scheduled',
  'key_destroyed',
  'key_not_found',
  'permission_denied',
  'integrity_failed',
] as const satisfies readonly ReasonCode[];

// https://grpc.io/docs/guides/status-codes/
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const OUT_OF_RANGE = 11;
const UNAUTHENTICATED = 16;

/**
 * A gRPC status without its text. Temporal's history stores the cause of a codec error, and the text of a
 * status can name network addresses.
 */
class KmsStatus extends Error {
  readonly grpcCode: number;

  constructor(grpcCode: number) {
    super(`Cloud KMS returned the gRPC status ${grpcCode}`);
    this.name = 'KmsStatus';
    this.grpcCode = grpcCode;
  }
}

export const isInvalidArgument = (error: unknown): boolean =>
  isServiceError(error) && error.code === INVALID_ARGUMENT;

export const isDeadlineExceeded = (error: unknown): boolean =>
  isServiceError(error) && error.code === DEADLINE_EXCEEDED;

export const isFailedPrecondition = (error: unknown): error is ServiceError =>
  isServiceError(error) && error.code === FAILED_PRECONDITION;

/**
 * Returns the number of the key version that Cloud KMS refused because of the version's state. Such an error
 * contains a `google.rpc.PreconditionFailure` whose subject is the version's resource name. Returns undefined
 * if the error names no version. The message does not reliably name the version, because anyone can change
 * the version in a message.
 */
export function refusedVersion(error: unknown): number | undefined {
  if (!isFailedPrecondition(error)) return undefined;
  // Stryker disable next-line ArrayDeclaration: the text that Stryker inserts contains no violations.
  const violations = (error.statusDetails ?? []).flatMap((detail): unknown =>
    propertyOf(detail, 'violations'),
  );
  const names = violations.map((violation) => String(propertyOf(violation, 'subject')));
  const versions = names.map((name) => Number(/\/cryptoKeyVersions\/(\d+)$/.exec(name)?.[1]));
  return versions.find((version) => version > 0);
}

/**
 * Maps an error of the Cloud KMS client by its status code and details, never by its text, which Google may change.
 * @param operation determines the meaning of INVALID_ARGUMENT: modified bytes for `unwrap`, and a wrong key
 *   name or purpose for `wrap`
 * @param state the key version's state, if it could be looked up; a FAILED_PRECONDITION does not always
 *   contain it
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
  // Stryker disable next-line ConditionalExpression,EqualityOperator: affects only the message.
  const version = keyVersion === undefined ? key : `${key} version ${keyVersion}`;
  const fail = (code: ReasonCode, message: string) => new KmsCodecError(code, message, options);
  switch (grpcCode) {
    case INVALID_ARGUMENT:
    case OUT_OF_RANGE:
      return operation === 'unwrap'
        ? fail(
            'integrity_failed',
            `Cloud KMS cannot decrypt this message with ${key}: the message was modified, or encrypted under another key`,
          )
        : fail(
            'key_not_found',
            `Cloud KMS rejected ${key}: check the key's name, and that its purpose is ENCRYPT_DECRYPT`,
          );
    case NOT_FOUND:
      return fail('key_not_found', `Cloud KMS has no key ${key}: check the name`);
    case PERMISSION_DENIED:
    case UNAUTHENTICATED:
      return fail(
        'permission_denied',
        `This identity may not ${verb[operation]} ${key}, or the key does not exist: check the identity's IAM roles and the key's name`,
      );
    case RESOURCE_EXHAUSTED:
      return fail('kms_quota', `Cloud KMS quota exceeded for ${key}`);
    case FAILED_PRECONDITION:
      return fail(
        codeOfState[String(state)] ?? 'key_disabled',
        `${version} cannot be used: ${stateText(state)}`,
      );
    default:
      return fail('kms_unavailable', `The call to Cloud KMS for ${key} failed (gRPC status ${grpcCode})`);
  }
}

const verb = { wrap: 'encrypt with', unwrap: 'decrypt with', describe: 'view' } as const;

const codeOfState: Readonly<Record<string, ReasonCode>> = {
  DISABLED: 'key_disabled',
  DESTROY_SCHEDULED: 'key_destroy_scheduled',
  DESTROYED: 'key_destroyed',
  PENDING_EXTERNAL_DESTRUCTION: 'key_destroyed',
  EXTERNAL_DESTRUCTION_FAILED: 'key_destroyed',
  PENDING_GENERATION: 'kms_unavailable',
  PENDING_IMPORT: 'key_disabled',
};

// Stryker disable next-line ArrowFunction: affects only the message.
const stateText = (state: KeyVersionState | undefined) =>
  state ? `its state is ${state}` : 'it is not enabled (this identity may not read its state)';
