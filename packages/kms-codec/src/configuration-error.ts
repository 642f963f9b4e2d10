/**
 * Thrown if this process's configuration is wrong. Retrying does not help; the configuration must change. The
 * message says what is wrong and what to do, and contains no plaintext and no secret.
 */
export class KmsConfigurationError extends Error {
  override readonly name = 'KmsConfigurationError';
}
