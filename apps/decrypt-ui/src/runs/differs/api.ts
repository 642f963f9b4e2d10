import { type DecodeFieldsRequest, type RunFieldsFrame, runFieldsFrame } from '@temporal-kms/codec-api';
import { workflowsPath } from '../../session/server/addresses.ts';
import type { ApiClient } from '../../session/server/client.ts';

export type FieldsApi = ReturnType<typeof createFieldsApi>;

/** Reads the fields of runs that match a visibility query. */
export const createFieldsApi = (api: ApiClient) => ({
  /** Reads the fields that need no decryption. */
  fields: (
    namespace: string,
    body: Omit<DecodeFieldsRequest, 'justification'>,
    signal: AbortSignal,
  ): AsyncGenerator<RunFieldsFrame> =>
    api.stream(runFieldsFrame, `${workflowsPath(namespace)}:fields`, body, signal),
  /** Also reads the fields of decrypted inputs and memos. */
  decodeFields: (
    namespace: string,
    body: DecodeFieldsRequest,
    signal: AbortSignal,
  ): AsyncGenerator<RunFieldsFrame> =>
    api.stream(runFieldsFrame, `${workflowsPath(namespace)}:decode-fields`, body, signal),
  ...(api.renewed && { renewed: api.renewed }),
});
