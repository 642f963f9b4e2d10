import type { ReasonCode } from '../errors.ts';
import type { WrappedKey } from '../crypto/wrapped-key.ts';

/**
 * What a format knows about a payload before decryption. Until the payload is decrypted, key, key version and
 * namespace are unverified claims.
 */
export interface ParsedMessage {
  /** Resource name of the crypto key that the payload names, if the namespace's rule lists it. */
  readonly key?: string | undefined;
  readonly keyVersion?: number | undefined;
  /** The namespace that the message names, if its format contains a namespace. */
  readonly namespace?: string;
  /** Set if the message is bound to a workflow. Other workflows cannot read it. */
  readonly boundToWorkflow?: true;
  /** A warning about a payload that the codec returns unchanged. */
  readonly reason?: ReasonCode;
  /**
   * Set if the rule does not list the key of an encrypted payload. Decoding returns the payload unchanged, or
   * refuses it because the rule refuses plaintext.
   */
  readonly passes?: true;
  /** The wrapped key, once for each crypto key to try, in the order of the attempts. */
  readonly wrappedKeys?: readonly WrappedKey[];
  /** Number of Cloud KMS calls whose responses are never cached. */
  readonly uncachedCalls?: number;
  /** Whether the last payload that was decrypted with this parsed message had a further layer. */
  hasLayers?: boolean;
}
