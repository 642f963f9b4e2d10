/** The canonical gRPC status names of the emulator's responses (google.rpc.Code). */
export type StatusName =
  | 'CANCELLED'
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNAUTHENTICATED';

/** One entry of `google.rpc.PreconditionFailure.violations`. */
interface Violation {
  readonly type: string;
  readonly subject: string;
}

/** The fields of `google.rpc.ErrorInfo`. */
interface ErrorInfo {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The typed details in `grpc-status-details-bin`, in addition to the code and the text. */
export interface ErrorDetails {
  readonly violations?: readonly Violation[];
  readonly info?: ErrorInfo;
}

/** The error of a failed call: a status, the text that Cloud KMS returns for it, and typed details. */
export class KmsError extends Error {
  override readonly name = 'KmsError';
  readonly status: StatusName;
  readonly details: ErrorDetails;

  constructor(status: StatusName, message: string, details: ErrorDetails = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

export const invalidArgument = (message: string): KmsError => new KmsError('INVALID_ARGUMENT', message);

export const unimplemented = (message: string): KmsError => new KmsError('UNIMPLEMENTED', message);

/** The kinds of resources, as Cloud KMS names them in its messages. */
export type ResourceKind = 'KeyRing' | 'CryptoKey' | 'CryptoKeyVersion';

export const notFound = (kind: ResourceKind, name: string): KmsError =>
  new KmsError('NOT_FOUND', `${kind} ${name} not found.`);

export const alreadyExists = (kind: ResourceKind, name: string): KmsError =>
  new KmsError('ALREADY_EXISTS', `${kind} ${name} already exists.`);

export const internal = (): KmsError => new KmsError('INTERNAL', 'Internal error encountered.');
