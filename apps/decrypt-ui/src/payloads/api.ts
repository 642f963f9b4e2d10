import { decodeFrame, type DecodeRequest, type DecodeResult, type PayloadRef } from '@temporal-kms/codec-api';
import { type RunAddress, runPath } from '../session/server/addresses.ts';
import type { ApiClient } from '../session/server/client.ts';

export type PayloadsApi = ReturnType<typeof createPayloadsApi>;

export const createPayloadsApi = (api: ApiClient) => ({
  /**
   * Decrypts payloads of a run.
   *
   * @param justification for the audit; the server requires it if the namespace reveals payloads on demand
   * @param onBytes called with the number of bytes of the response that have arrived
   */
  decode: (
    run: RunAddress,
    refs: readonly PayloadRef[],
    signal: AbortSignal,
    justification?: string,
    onBytes?: (count: number) => void,
  ): AsyncGenerator<DecodeResult> => {
    const body = { refs: [...refs], ...(justification !== undefined && { justification }) };
    return decodeResults(api, `${runPath(run)}/payloads:decode`, body, signal, onBytes);
  },
});

/**
 * Yields the results without the closing frame. If the token expires, requests the remaining payloads again with the
 * next token. After any other early end, the decoder repeats the request for payloads without a result.
 */
export async function* decodeResults(
  api: ApiClient,
  path: string,
  body: DecodeRequest,
  signal: AbortSignal,
  onBytes?: (count: number) => void,
): AsyncGenerator<DecodeResult> {
  const left = new Set(body.refs);
  const opened = performance.now();
  for await (const frame of api.stream(decodeFrame, path, body, signal, onBytes)) {
    if ('ok' in frame) {
      left.delete(frame.ref);
      yield frame;
    } else if (frame.reason === 'signed_out' && api.renewed && left.size > 0) {
      await api.renewed(opened, signal);
      yield* decodeResults(api, path, { ...body, refs: [...left] }, signal, onBytes);
      return;
    }
  }
}
