import { escapeInvisible, type SignIn } from '@temporal-kms/codec-api';
import * as oauth from 'oauth4webapi';
import { messageOf } from '../../ui/errors.ts';
import { NoAnswer } from '../server/failure.ts';
import { withinLimit } from '../server/time-limit.ts';
import { SignInFailure, type SignInProvider, type Tokens } from './session.ts';

/** The part of `GET /api/sign-in` that describes the identity provider. */
type Settings = NonNullable<SignIn['authorizationCode']>;

/** Error codes with which a provider reports that the person must interact (OpenID Connect Core 1.0, section 3.1.2.6). */
const needPerson = new Set([
  'account_selection_required',
  'consent_required',
  'interaction_required',
  'login_required',
]);

/**
 * Creates a client for the authorization code flow with PKCE at one identity provider. The library checks state, nonce,
 * issuer and audience. The library does not check the ID token's signature, because the page receives the token
 * directly from the provider (OpenID Connect Core 1.0, section 3.1.3.7). The codec server checks the signature of each
 * token that it receives.
 *
 * @param returnUri the address to which the provider sends the browser back
 */
export function createProvider(
  { issuer, clientId, scopes, resource, parameters, token }: Settings,
  returnUri: string,
): SignInProvider {
  const client: oauth.Client = { client_id: clientId };
  // The policy file accepts http only for an issuer on loopback, for development.
  const options: oauth.HttpRequestOptions<'GET' | 'POST', undefined | URLSearchParams> = {
    [oauth.allowInsecureRequests]: issuer.startsWith('http:'),
    [oauth.customFetch]: (url, { signal, body = null, ...init }) =>
      withinLimit('The identity provider', signal, (limited) =>
        fetch(url, { ...init, body, signal: limited }),
      ),
  };
  const forResource = resource === undefined ? {} : { resource };
  let discovery: Promise<oauth.AuthorizationServer> | undefined;

  function discover(): Promise<oauth.AuthorizationServer> {
    discovery ??= readDiscovery().catch((error: unknown) => {
      discovery = undefined;
      throw failureOf(error);
    });
    return discovery;
  }

  async function readDiscovery(): Promise<oauth.AuthorizationServer> {
    const url = new URL(issuer);
    return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options));
  }

  function tokensOf(response: oauth.TokenEndpointResponse, now: number): Tokens {
    const claims = oauth.getValidatedIdTokenClaims(response);
    const bearer = token === 'id' ? response.id_token : response.access_token;
    if (bearer === undefined) {
      throw new SignInFailure(
        'refused',
        'The identity provider returned no ID token. Request the scope openid.',
      );
    }
    const expiresAt =
      token === 'id'
        ? claims && claims.exp * 1000
        : response.expires_in === undefined
          ? undefined
          : now + response.expires_in * 1000;
    return {
      bearer,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(response.refresh_token !== undefined && { refresh: response.refresh_token }),
      ...(claims && { subject: claims.sub }),
    };
  }

  return {
    issuer,
    begin: async (prompt) => {
      const server = await discover();
      if (server.authorization_endpoint === undefined) {
        throw new SignInFailure('refused', `${issuer} does not specify an authorization endpoint.`);
      }
      const attempt = {
        state: oauth.generateRandomState(),
        nonce: oauth.generateRandomNonce(),
        verifier: oauth.generateRandomCodeVerifier(),
      };
      const url = new URL(server.authorization_endpoint);
      const request = {
        ...parameters,
        ...forResource,
        client_id: clientId,
        redirect_uri: returnUri,
        response_type: 'code',
        scope: scopes.join(' '),
        state: attempt.state,
        nonce: attempt.nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(attempt.verifier),
        code_challenge_method: 'S256',
        ...(prompt !== undefined && { prompt }),
      };
      for (const [name, value] of Object.entries(request)) url.searchParams.set(name, value);
      return { attempt, url: url.href };
    },
    complete: async (answer, { state, nonce, verifier }) => {
      const server = await discover();
      try {
        const checked = oauth.validateAuthResponse(server, client, answer, state);
        const now = Date.now();
        const response = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          oauth.None(),
          checked,
          returnUri,
          verifier,
          { ...options, additionalParameters: forResource },
        );
        // A provider returns an ID token, which contains the nonce, only if openid is among the scopes.
        const openid = scopes.includes('openid');
        const expected = openid ? { expectedNonce: nonce, requireIdToken: true } : {};
        return tokensOf(
          await oauth.processAuthorizationCodeResponse(server, client, response, expected),
          now,
        );
      } catch (error) {
        throw failureOf(error);
      }
    },
    renew: async (refresh) => {
      const server = await discover();
      try {
        const now = Date.now();
        const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refresh, {
          ...options,
          additionalParameters: forResource,
        });
        return tokensOf(await oauth.processRefreshTokenResponse(server, client, response), now);
      } catch (error) {
        throw failureOf(error);
      }
    },
    signOutUrl: async (returnTo) => {
      const { end_session_endpoint: endpoint } = await discover();
      if (endpoint === undefined) return undefined;
      const url = new URL(endpoint);
      // Sends no `id_token_hint`, because a token must not be in a URL. Without the hint, the provider may ask for
      // confirmation.
      url.searchParams.set('client_id', clientId);
      url.searchParams.set('post_logout_redirect_uri', returnTo);
      return url.href;
    },
  };
}

/** Converts an error to a failure for the page, without any part of the request. Never throws. */
function failureOf(error: unknown): SignInFailure {
  if (error instanceof SignInFailure) return error;
  if (error instanceof oauth.AuthorizationResponseError) {
    const kind = needPerson.has(error.error) ? 'needs_person' : 'refused';
    return new SignInFailure(kind, refusal(error.error, error.error_description), { cause: error });
  }
  if (error instanceof oauth.ResponseBodyError) {
    return new SignInFailure('refused', refusal(error.error, error.error_description), { cause: error });
  }
  // `fetch` throws a TypeError if there is no connection, if the response lacks CORS headers, or if a content security
  // policy forbids the request.
  if (error instanceof TypeError || error instanceof NoAnswer) {
    const text =
      'This page cannot reach the identity provider. Check your connection. If it works, the operator of the page can check the provider’s CORS settings and the page’s content security policy.';
    return new SignInFailure('unreachable', text, { cause: error });
  }
  return new SignInFailure(
    'refused',
    `The identity provider’s answer is invalid: ${escapeInvisible(messageOf(error))}.`,
    { cause: error },
  );
}

/** Maximum length of a provider's text on the page, in characters. */
const MOST = 300;

const refusal = (code: string, description: string | undefined) =>
  `The identity provider refused the sign-in: ${escapeInvisible((description ?? code).slice(0, MOST))}.`;
