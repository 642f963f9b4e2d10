import { z } from 'zod';
import { permission } from './audit.ts';
import { timestamp } from './workflow.ts';

/** Whether a namespace's payloads open to whoever may decode, or only to those who also say why. */
export const reveal = z.enum(['automatic', 'on-demand']);
export type Reveal = z.infer<typeof reveal>;

/** `GET /api/me`: who the caller is to this server, and what they may do where. */
export const me = z.object({
  /** What people know them by: an e-mail address, else the token's subject. */
  name: z.string(),
  /** When they must sign in again; absent: never. */
  expiresAt: timestamp.optional(),
  /** Those in which they may do anything. */
  namespaces: z.array(
    z.object({
      name: z.string(),
      permissions: z.array(permission),
      /** `on-demand`: send a `justification` with each request that decrypts. */
      reveal,
    }),
  ),
});
export type Me = z.infer<typeof me>;

/** `GET /api/sign-in`: how a page gets a token for this server. Anybody may read it; it holds no secret. */
export const signIn = z.object({
  /** OAuth 2.1 authorization code with PKCE; absent: nothing that a page could do. */
  authorizationCode: z
    .object({
      /** Whose discovery document names the endpoints. */
      issuer: z.string(),
      clientId: z.string(),
      scopes: z.array(z.string()),
      /** RFC 8707: what the access token is to be made for. */
      resource: z.string().optional(),
    })
    .optional(),
});
export type SignIn = z.infer<typeof signIn>;
