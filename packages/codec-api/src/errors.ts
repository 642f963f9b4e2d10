import { z } from 'zod';

/** The body of every refusal of the history API. `message` is for people and holds no payload, token or address. */
export const apiError = z.object({
  error: z.object({
    code: z.enum([
      'bad_request',
      'invalid_query',
      'unauthenticated',
      'forbidden',
      /** The namespace reveals payloads on demand only: send a `justification`. */
      'justification_required',
      'not_found',
      'namespace_required',
      'too_large',
      'unsupported_media_type',
      'temporal_unavailable',
      /** The audit can't be written, so nothing is decrypted. */
      'audit_unavailable',
      /** Too many requests or streams at once. */
      'busy',
      /** The caller has asked too often: try again after the seconds of `Retry-After`. */
      'rate_limited',
      'timeout',
      'not_implemented',
      'shutting_down',
      'internal',
    ]),
    message: z.string(),
  }),
});
export type ApiError = z.infer<typeof apiError>;
export type ApiErrorCode = ApiError['error']['code'];
