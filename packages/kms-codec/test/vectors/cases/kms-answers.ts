import type { ReasonCode } from '../../../src/errors.ts';
import { hex } from '../make/bytes.ts';
import { branchKey, branchKeyAad, namespaceTag } from '../make/message.ts';
import { caseV2, KEY, NAMESPACE } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';

const answers: readonly { status: string; state?: string; code: ReasonCode; why: string }[] = [
  {
    status: 'INVALID_ARGUMENT',
    code: 'integrity_failed',
    why: 'Wrong key, changed ciphertext or other AAD.',
  },
  { status: 'NOT_FOUND', code: 'key_not_found', why: 'The key ring or key doesn’t exist.' },
  { status: 'PERMISSION_DENIED', code: 'permission_denied', why: 'The identity may not decrypt.' },
  { status: 'UNAUTHENTICATED', code: 'permission_denied', why: 'The identity’s credentials aren’t valid.' },
  { status: 'RESOURCE_EXHAUSTED', code: 'kms_quota', why: 'The rate of calls.' },
  { status: 'UNAVAILABLE', code: 'kms_unavailable', why: 'It passes by itself.' },
  { status: 'DEADLINE_EXCEEDED', code: 'kms_unavailable', why: 'It passes by itself.' },
  { status: 'INTERNAL', code: 'kms_unavailable', why: 'It passes by itself.' },
  { status: 'FAILED_PRECONDITION', state: 'DISABLED', code: 'key_disabled', why: 'The version is disabled.' },
  {
    status: 'FAILED_PRECONDITION',
    state: 'DESTROY_SCHEDULED',
    code: 'key_destroy_scheduled',
    why: 'The version can still be restored.',
  },
  {
    status: 'FAILED_PRECONDITION',
    state: 'DESTROYED',
    code: 'key_destroyed',
    why: 'Nothing brings it back.',
  },
  {
    status: 'FAILED_PRECONDITION',
    code: 'key_disabled',
    why: 'The state can’t be asked for: the mildest one is named, which nobody gives a message up for.',
  },
];

export const kmsAnswers: VectorFile = {
  about: 'What becomes of Cloud KMS’s refusals to unwrap a branch key; statuses are gRPC’s.',
  vectors: answers.map(({ status, state, code, why }) => {
    const { wrapped } = branchKey(NAMESPACE);
    const aad = hex(branchKeyAad(namespaceTag(NAMESPACE)));
    const refusal = { key: KEY, aad, ciphertext: hex(wrapped), status };
    return caseV2({
      name: `${status}${state ? `, version ${state},` : ''} is ${code}`,
      why,
      kms: [{ ...refusal, ...(state !== undefined && { state }) }],
      code,
      asked: [KEY],
    });
  }),
};
