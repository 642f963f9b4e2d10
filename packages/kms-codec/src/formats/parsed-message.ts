import type { ReasonCode } from '../errors.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';

/**
 * What a format knows about a payload before it is decrypted. Key, key version and namespace are claims of the payload
 * until then.
 */
export interface ParsedMessage {
  /** Resource name of the crypto key that the payload names, if the namespace's rule lists it. */
  readonly key?: string | undefined;
  readonly keyVersion?: number | undefined;
  /** The namespace that the message names, if its format has one. */
  readonly namespace?: string;
  /** The message names the workflow that it was encrypted for, and is refused in any other. */
  readonly boundToWorkflow?: true;
  /** A warning about a payload that passes unchanged. */
  readonly reason?: ReasonCode;
  /** Decoding returns the payload unchanged, or refuses it if the rule refuses plaintext. */
  readonly passes?: true;
  /** The wrapped key, once for each crypto key under which it is tried, in their order. */
  readonly wrappedKeys?: readonly WrappedKey[];
  /** Cloud KMS calls whose answers are never cached. */
  readonly uncachedCalls?: number;
  /** Whether the last payload that was decrypted with this message had a further layer. */
  hasLayers?: boolean;
}
