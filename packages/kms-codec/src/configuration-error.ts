/**
 * Thrown if this process's configuration is wrong. A retry does not help, because the configuration must
 * change. The message explains what is wrong and what to do, and contains no plaintext and no secret.
 */
export class KmsConfigurationError extends Error {
  override readonly name = 'KmsConfigurationError';
}
