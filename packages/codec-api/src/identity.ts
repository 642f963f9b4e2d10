import { z } from 'zod/mini';
import { timestamp } from './workflow.ts';

/** The permissions that a policy can grant to a caller in a namespace. */
export const permission = z.enum(['metadata', 'decode', 'encode', 'search', 'export', 'query', 'audit']);
export type Permission = z.infer<typeof permission>;

/**
 * Whether callers with the permission see a namespace's payloads immediately (`automatic`) or only with a
 * justification (`on-demand`).
 */
export const reveal = z.enum(['automatic', 'on-demand']);
export type Reveal = z.infer<typeof reveal>;

/** `GET /api/me`: returns the caller, with their permissions in each namespace. */
export const me = z.object({
  /** The name to show: the e-mail address, or the token's subject if there is no e-mail address. */
  name: z.string(),
  /** When the caller must sign in again; absent if the sign-in does not expire. */
  expiresAt: z.optional(timestamp),
  /** Namespaces where the caller has a permission. */
  namespaces: z.array(
    z.object({
      name: z.string(),
      permissions: z.array(permission),
      /** With `on-demand`, each request that decrypts needs a `justification`. */
      reveal,
      /**
       * The number of minutes for which a web page may show payloads after one justification, if `reveal` is
       * `on-demand`. The server can't enforce this limit.
       */
      revealMinutes: z.optional(z.number().check(z.int(), z.positive())),
    }),
  ),
});
export type Me = z.infer<typeof me>;

/**
 * `GET /api/sign-in`: returns how a web page gets a token for this server. The response is public, and
 * contains no secret.
 */
export const signIn = z.object({
  /** Whether requests need a token; false with `AUTH=none`. */
  required: z.boolean(),
  /** Settings for the OAuth 2.1 authorization code flow with PKCE; absent if web pages can't sign in. */
  authorizationCode: z.optional(
    z.object({
      /** The issuer's URL; its discovery document names the endpoints. */
      issuer: z.string(),
      clientId: z.string(),
      scopes: z.array(z.string()),
      /** The `resource` parameter for the access token (RFC 8707). */
      resource: z.optional(z.string()),
      /** Further parameters of the authorization request, which the issuer requires. */
      parameters: z.optional(z.record(z.string(), z.string())),
      /** The token that the server accepts from the issuer's response: the access token or the ID token. */
      token: z.enum(['access', 'id']),
    }),
  ),
});
export type SignIn = z.infer<typeof signIn>;
