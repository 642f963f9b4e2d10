import { Status } from 'google-gax';
import type { KeyService, UnwrapRequest } from '../../src/keys/key-service.ts';
import { mapKmsError } from '../../src/keys/kms-errors.ts';
import { hex } from '@temporal-kms/vectors/bytes';
import type { VectorKmsAnswer } from '@temporal-kms/vectors/schema';

const statuses = new Map(Object.entries(Status));

/**
 * Responds as a vector's `kms` specifies, and maps gRPC statuses as the Cloud KMS client does. Refuses any
 * other ciphertext, as Cloud KMS refuses ciphertexts that it has not created.
 */
export class VectorKeyService implements KeyService {
  readonly asked = new Set<string>();
  readonly #answers: readonly VectorKmsAnswer[];

  constructor(answers: readonly VectorKmsAnswer[]) {
    this.#answers = answers;
  }

  async unwrap({ key, ciphertext, aad, keyVersion }: UnwrapRequest): Promise<Uint8Array> {
    this.asked.add(key);
    const answer = this.#answers.find(
      (one) => one.key === key && one.aad === hex(aad) && one.ciphertext === hex(ciphertext),
    );
    if (answer?.plaintext !== undefined) return Buffer.from(answer.plaintext, 'hex');
    const name = answer?.status ?? 'INVALID_ARGUMENT';
    const error = Object.assign(new Error(name), { code: statuses.get(name) });
    throw mapKmsError(error, 'unwrap', key, keyVersion, answer?.state);
  }

  wrap(): Promise<never> {
    throw new Error('Decoding must not call wrap');
  }

  describe(): Promise<never> {
    throw new Error('Decoding must not call describe');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
