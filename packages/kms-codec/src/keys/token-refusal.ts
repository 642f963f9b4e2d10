import { propertyOf } from '@temporal-kms/node-utils/error-details';

/**
 * The OAuth error codes (RFC 6749, 5.2, and RFC 8693, 2.2.2) with which a server refuses an identity. The
 * code `invalid_request` does not refuse an identity.
 */
const REFUSALS: ReadonlySet<unknown> = new Set([
  'access_denied',
  'invalid_client',
  'invalid_grant',
  'invalid_target',
  'unauthorized_client',
]);

/**
 * Returns whether Google refused to issue an access token to this identity, because its account, its Workload
 * Identity pool or their binding no longer exists. Decides by the response of the token endpoint, the
 * metadata server or the IAM Credentials API, but never by the text of a message.
 * @param error any error from google-auth-library
 */
export function isTokenRefusal(error: unknown): boolean {
  const response = propertyOf(error, 'response');
  const refusal = propertyOf(propertyOf(response, 'data'), 'error');
  switch (propertyOf(response, 'status')) {
    case 400:
      return REFUSALS.has(refusal);
    case 401:
    case 403:
      return true;
    case 404:
      // The IAM Credentials API returns this body. While the metadata server starts, it returns 404 with
      // another body.
      return propertyOf(refusal, 'status') === 'NOT_FOUND';
    default:
      return false;
  }
}
