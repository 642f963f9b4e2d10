/**
 * The configuration of this process is wrong: only another configuration helps, not another attempt. The message names what is
 * wrong and what to do. It contains no plaintext and no secret.
 */
export class KmsConfigurationError extends Error {
  override readonly name = 'KmsConfigurationError';
}
