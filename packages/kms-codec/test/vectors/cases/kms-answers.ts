import type { ReasonCode } from '../../../src/errors.ts';
import { hex } from '../make/bytes.ts';
import { branchKey, branchKeyAad, namespaceTag } from '../make/message.ts';
import { caseV2, KEY, NAMESPACE } from '../make/v2.ts';
import type { VectorFile } from '../make/vector.ts';

const answers: readonly { status: string; state?: string; code: ReasonCode; why: string }[] = [
  {
    status: 'INVALID_ARGUMENT',
    code: 'integrity_failed',
    why: 'The key is wrong, or the ciphertext or the AAD was modified.',
  },
  { status: 'NOT_FOUND', code: 'key_not_found', why: 'The key ring or the crypto key does not exist.' },
  { status: 'PERMISSION_DENIED', code: 'permission_denied', why: 'The identity may not decrypt.' },
  {
    status: 'UNAUTHENTICATED',
    code: 'permission_denied',
    why: 'The credentials of the identity are not valid.',
  },
  { status: 'RESOURCE_EXHAUSTED', code: 'kms_quota', why: 'The rate of calls exceeds the quota.' },
  { status: 'UNAVAILABLE', code: 'kms_unavailable', why: 'The outage is temporary.' },
  { status: 'DEADLINE_EXCEEDED', code: 'kms_unavailable', why: 'The outage is temporary.' },
  { status: 'INTERNAL', code: 'kms_unavailable', why: 'The outage is temporary.' },
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
    why: 'The version cannot be restored.',
  },
  {
    status: 'FAILED_PRECONDITION',
    code: 'key_disabled',
    why: 'The state is unknown, so the code is that of the least severe state: the message may still be readable.',
  },
];

export const kmsAnswers: VectorFile = {
  about:
    'Reason codes for the errors of Cloud KMS when it unwraps a branch key. The statuses are those of gRPC.',
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
