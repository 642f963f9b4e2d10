import { KmsCodecError } from '@temporal-kms/kms-codec';
import { CliError, type ExitName } from '../cli/cli-error.ts';
import { gcloud, grantLine, YOU } from './gcloud.ts';

/** The purpose of a call, which determines the commands to type if the call fails. */
export interface CallPurpose {
  /** Resource name of the crypto key or, for calls without a key, of the project. */
  readonly resource: string;
  /** A predefined role with the permission that the call needs. */
  readonly role: string;
  /** The member who makes the call; by default, the person who runs the command. */
  readonly member?: string;
}

// https://grpc.io/docs/guides/status-codes/
const statuses: Readonly<Record<number, Exclude<ExitName, 'ok'>>> = {
  3: 'usage',
  4: 'unavailable',
  5: 'notFound',
  6: 'failed',
  7: 'notPermitted',
  8: 'unavailable',
  9: 'failed',
  10: 'unavailable',
  14: 'unavailable',
  16: 'notPermitted',
};

export const ABORTED = 10;
export const ALREADY_EXISTS = 6;
export const INVALID_ARGUMENT = 3;
export const NOT_FOUND = 5;
export const PERMISSION_DENIED = 7;

/** Returns the gRPC status of an error from Google's clients, if it has a status. */
export function grpcCode(error: unknown): number | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'number' ? code : undefined;
}

/** Turns the error of a call to Google into an error that contains the commands to type. */
export function googleError(error: unknown, purpose: CallPurpose): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof KmsCodecError) return codecError(error, purpose);
  const code = grpcCode(error);
  const details: unknown = error instanceof Error ? Reflect.get(error, 'details') : undefined;
  const text = typeof details === 'string' && details !== '' ? details : 'the call failed';
  if (isServiceDisabled(error)) {
    const project = projectOf(purpose.resource);
    return new CliError(
      'configuration',
      `The Cloud KMS API is not enabled in the project ${project}`,
      [gcloud('services enable', 'cloudkms.googleapis.com', `--project=${project}`)],
      error,
    );
  }
  const exit = statuses[code ?? -1] ?? 'internal';
  return new CliError(
    exit,
    `Google ${exit === 'unavailable' ? 'did not answer' : 'refused the call'}: ${text} (gRPC status ${code ?? 'none'})`,
    fixOf(exit, purpose),
    error,
  );
}

const exitOfReason: Readonly<Record<string, Exclude<ExitName, 'ok'>>> = {
  key_not_found: 'notFound',
  permission_denied: 'notPermitted',
};

function codecError(error: KmsCodecError, purpose: CallPurpose): CliError {
  const exit = error.retryable ? 'unavailable' : (exitOfReason[error.code] ?? 'failed');
  return new CliError(exit, `${error.message} (${error.code})`, fixOfReason(error, exit, purpose), error);
}

function fixOfReason(error: KmsCodecError, exit: ExitName, purpose: CallPurpose): readonly string[] {
  const key = error.key ?? purpose.resource;
  switch (error.code) {
    case 'key_disabled':
    case 'key_destroy_scheduled':
      return [`temporal-kms keys --key ${key}`];
    case 'key_destroyed':
      return [`temporal-kms rotate --key ${key}`];
    case 'kms_unavailable':
      return /credentials/i.test(error.message) ? signInLines : ['curl -I https://cloudkms.googleapis.com/'];
    default:
      return fixOf(exit, purpose);
  }
}

/** The commands to type if there are no credentials. */
export const signInLines: readonly string[] = [
  gcloud('auth application-default login'),
  'export GOOGLE_APPLICATION_CREDENTIALS=/path/to/credentials.json',
];

function fixOf(exit: ExitName, { resource, role, member = YOU }: CallPurpose): readonly string[] {
  const isKey = resource.includes('/cryptoKeys/');
  switch (exit) {
    case 'notPermitted':
      return isKey
        ? [grantLine(resource, member, role)]
        : [
            gcloud(
              'projects add-iam-policy-binding',
              projectOf(resource),
              `--member=${member}`,
              `--role=${role}`,
            ),
          ];
    case 'notFound':
      return isKey ? [`temporal-kms setup --dry-run --project ${projectOf(resource)}`] : [];
    default:
      return [];
  }
}

export const projectOf = (resource: string): string => /^projects\/([^/]+)/.exec(resource)?.[1] ?? resource;

/** Whether the error's `google.rpc.ErrorInfo` states that the API is not enabled. */
function isServiceDisabled(error: unknown): boolean {
  const reason: unknown = error instanceof Error ? Reflect.get(error, 'reason') : undefined;
  return reason === 'SERVICE_DISABLED';
}
