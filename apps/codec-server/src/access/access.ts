import type { Permission, Reveal } from '@temporal-kms/codec-api';

/** Who is asking. For the log and the audit lines; never a token. */
export interface Caller {
  /** What people know them by: an e-mail address, else the subject. */
  readonly name: string;
  readonly issuer?: string;
  readonly subject?: string;
  /** Milliseconds since 1970: what the caller may do ends here, streams too. Absent: it doesn't end. */
  readonly expiresAt?: number;
}

/** The part of a request that says who it comes from. */
export interface Credentials {
  /** A header that stands twice comes as one, with a comma between. */
  header(name: string): string | undefined;
}

/** Where a page signs people in (OAuth 2.1 authorization code with PKCE). Public: it holds no secret. */
export interface SignIn {
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** RFC 8707: what the access token shall be made for. */
  readonly resource?: string;
}

/** Who may do what: the one place that decides, for every route. */
export interface Access {
  /** Throws a HttpError (401) when the request doesn't say who it comes from and must. */
  authenticate(request: Credentials): Caller | Promise<Caller>;
  /**
   * Without a namespace: whether the permission is given anywhere.
   * @param caller one that this `authenticate` gave; any other may do nothing
   */
  allows(caller: Caller, permission: Permission, namespace: string | undefined): boolean;
  reveal(namespace: string): Reveal;
  /** Undefined: callers bring their own token, or need none. */
  signIn(): SignIn | undefined;
}

/** `AUTH=none`: whoever reaches this server may do everything. Only for a server that listens on loopback. */
export const openAccess: Access = {
  authenticate: () => ({ name: 'anonymous' }),
  allows: () => true,
  reveal: () => 'automatic',
  signIn: () => undefined,
};
