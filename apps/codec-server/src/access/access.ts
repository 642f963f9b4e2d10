import type { Permission, Reveal } from '@temporal-kms/codec-api';

/** An authenticated caller, as the log and the audit name them. It never holds a token. */
export interface Caller {
  /** For people: an e-mail address, else the subject. */
  readonly name: string;
  readonly issuer?: string;
  readonly subject?: string;
  /** When the sign-in and the caller's streams end, in milliseconds since 1970. Absent: it does not end. */
  readonly expiresAt?: number;
}

/** The part of a request that authenticates its caller. */
export interface Credentials {
  /** Returns a header's value; the values of a repeated header are joined by a comma. */
  header(name: string): string | undefined;
}

/** How a page signs people in (OAuth 2.1 authorization code with PKCE). It is public and holds no secret. */
export interface SignIn {
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** RFC 8707: the server that the access token is for. */
  readonly resource?: string;
  /** Further parameters of the authorization request. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Which token of the issuer's response the policy accepts. */
  readonly token: 'access' | 'id';
}

/** Decides for every route who the caller is and what they may do. */
export interface Access {
  /** True: requests need no token (`AUTH=none`). */
  readonly open?: boolean;
  /** Returns the caller. @throws HttpError 401 when the request has no valid token and needs one */
  authenticate(request: Credentials): Caller | Promise<Caller>;
  /**
   * Returns whether the caller has a permission in a namespace, or without a namespace, in any namespace.
   * @param caller as this object's `authenticate` returned it; any other caller has no permission
   */
  allows(caller: Caller, permission: Permission, namespace: string | undefined): boolean;
  reveal(namespace: string): Reveal;
  /** For how long a web page may show payloads after one justification. */
  revealMinutes(namespace: string): number;
  /** Undefined: callers bring a token or need none. */
  signIn(): SignIn | undefined;
}

/** Access with `AUTH=none`: every client may do everything. Only for a server that listens on loopback. */
export const openAccess: Access = {
  open: true,
  authenticate: () => ({ name: 'anonymous' }),
  allows: () => true,
  reveal: () => 'automatic',
  revealMinutes: () => 15,
  signIn: () => undefined,
};

export interface ReloadableAccess extends Access {
  /** Uses the result of `load` for new requests. @throws what `load` throws; then nothing changes */
  reload(): void;
}

/**
 * Returns an access that can be replaced while requests are in progress. A request keeps the permissions of the access
 * that authenticated it.
 */
export function reloadableAccess(load: () => Access): ReloadableAccess {
  let current = load();
  const accessOf = new WeakMap<Caller, Access>();
  const admit = (access: Access, caller: Caller): Caller => {
    accessOf.set(caller, access);
    return caller;
  };
  return {
    authenticate: (request) => {
      const access = current;
      const caller = access.authenticate(request);
      return caller instanceof Promise ? caller.then((known) => admit(access, known)) : admit(access, caller);
    },
    allows: (caller, permission, namespace) =>
      accessOf.get(caller)?.allows(caller, permission, namespace) ?? false,
    reveal: (namespace) => current.reveal(namespace),
    revealMinutes: (namespace) => current.revealMinutes(namespace),
    signIn: () => current.signIn(),
    reload: () => {
      current = load();
    },
  };
}
