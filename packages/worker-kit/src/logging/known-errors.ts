import { KmsCodecError, KmsConfigurationError } from '@temporal-kms/kms-codec';
import { isServiceError } from '@temporal-kms/node-utils/error-details';

/** The information about an error that a log may contain in addition to identifiers. */
export interface KnownError {
  /** What failed, why, and what to do, without plaintext. */
  readonly reason: string;
  /** Whether the process needs a different configuration, so that a retry does not help. */
  readonly isConfiguration: boolean;
}

/**
 * Marks a `TransportError`, which Temporal's native client throws. This package does not depend on the
 * package that defines the class.
 */
const transportError = Symbol.for('__temporal_isTransportError');

/**
 * The reasons for `TransportError`s. Each pattern matches what Rust prints about the failure in the error's
 * message.
 */
const transportReasons: readonly (readonly [RegExp, string])[] = [
  [
    /code: (?:Unauthenticated|PermissionDenied)/,
    'Temporal refuses this identity: check TEMPORAL_API_KEY, or the client certificate, and TEMPORAL_NAMESPACE',
  ],
  [
    /ConnectionRefused/,
    'no server listens at the address: check TEMPORAL_ADDRESS, and whether Temporal runs',
  ],
  [/dns error/, 'the host name of the address is unknown: check TEMPORAL_ADDRESS'],
  [
    /InvalidContentType/,
    'the server at the address responds without TLS: check TEMPORAL_ADDRESS and TEMPORAL_TLS',
  ],
  [
    /NotValidForName/,
    "the server's certificate is for another name: check TEMPORAL_ADDRESS, or set TEMPORAL_TLS_SERVER_NAME",
  ],
  [
    /InvalidCertificate/,
    "the server's certificate is not trusted: check TEMPORAL_TLS_SERVER_CA_CERT_PATH, which must contain its certificate authority's certificate",
  ],
  [
    /CertificateRequired|fatal alert|close_notify/,
    'the server requires a client certificate, or refuses this one: check TEMPORAL_TLS_CLIENT_CERT_PATH',
  ],
  [
    /ConnectionReset|BrokenPipe/,
    'the server closes the connection: check TEMPORAL_ADDRESS, and whether the server requires TLS (TEMPORAL_TLS)',
  ],
];

const missingNamespace = /^Namespace (\S{1,256}) was not found .*code: NotFound/s;
const unreadableCertificate = /PrivateKeyParseError|CertificateParseError/;
/**
 * Matches the error for an option that Temporal's native client rejects before it connects, such as an
 * address without a port.
 */
const wrongOption = /^fn client_new\.args\[\d\]\.(\w{1,40}): ([a-z ]{1,60})$/;

/**
 * Describes an error whose text cannot come from a payload: an error from this library, or from the
 * connection to Temporal.
 * @returns undefined for any other error
 */
export function knownError(error: unknown): KnownError | undefined {
  if (error instanceof KmsConfigurationError) return { reason: error.message, isConfiguration: true };
  if (error instanceof KmsCodecError) {
    // Cloud KMS may accept a rejected call later, so its errors do not count as a wrong configuration. The
    // rules of this process cannot change, so a missing rule counts as a wrong configuration.
    return { reason: error.message, isConfiguration: error.code === 'namespace_not_configured' };
  }
  if (!(error instanceof Error)) return undefined;
  if (Reflect.get(error, transportError) === true) return ofTransport(error.message);
  const [, option, problem] = wrongOption.exec(error.message) ?? [];
  if (option === undefined) return undefined;
  const what = option === 'targetUrl' ? 'address (TEMPORAL_ADDRESS)' : `connection option ${option}`;
  return { reason: `Temporal's ${what} is wrong: ${problem}`, isConfiguration: true };
}

/** Returns whether an error comes from a call to Temporal, which may succeed later. */
export const isFailureOfTemporal = (error: unknown): boolean =>
  error instanceof Error && (Reflect.get(error, transportError) === true || isServiceError(error));

/**
 * Returns whether an error means that Temporal's server does not have the worker's namespace, which may be
 * created later.
 */
export const isMissingNamespace = (error: unknown): boolean =>
  error instanceof Error &&
  Reflect.get(error, transportError) === true &&
  missingNamespace.test(error.message);

function ofTransport(message: string): KnownError | undefined {
  const [, namespace] = missingNamespace.exec(message) ?? [];
  if (namespace !== undefined) {
    const reason = `Temporal has no namespace ${namespace}: check TEMPORAL_NAMESPACE and TEMPORAL_ADDRESS, or create the namespace`;
    return { reason, isConfiguration: true };
  }
  if (unreadableCertificate.test(message)) {
    const reason = 'the client certificate or its private key is not a PEM file: check TEMPORAL_TLS_CLIENT_*';
    return { reason, isConfiguration: true };
  }
  const [, reason] = transportReasons.find(([pattern]) => pattern.test(message)) ?? [];
  return reason === undefined ? undefined : { reason, isConfiguration: false };
}
