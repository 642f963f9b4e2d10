import { propertyOf } from '@temporal-kms/node-utils/error-details';

/** OAuth's error codes (RFC 6749, 5.2, and RFC 8693, 2.2.2) that refuse an identity. `invalid_request` does not. */
const REFUSALS: ReadonlySet<unknown> = new Set([
  'access_denied',
  'invalid_client',
  'invalid_grant',
  'invalid_target',
  'unauthorized_client',
]);

/**
 * Whether Google refused an access token to this identity: its account, its Workload Identity pool or their binding no longer
 * exists. Decides by the response of the token endpoint, the metadata server or the IAM Credentials API, never by a message.
 * @param error what google-auth-library throws
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
      // Of the IAM Credentials API. The metadata server also answers 404 while it starts.
      return propertyOf(refusal, 'status') === 'NOT_FOUND';
    default:
      return false;
  }
}
