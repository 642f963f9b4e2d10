/**
 * This process's configuration is wrong: only a different configuration helps, not another attempt. The message names
 * what is wrong and what to do. It contains no plaintext and no secret.
 */
export class KmsConfigurationError extends Error {
  override readonly name = 'KmsConfigurationError';
}
