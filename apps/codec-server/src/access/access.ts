import type { Permission, Reveal } from '@temporal-kms/codec-api';

/**
 * An authenticated caller, with the name that the log and the audit show. The object does not contain the
 * token.
 */
export interface Caller {
  /** The name that people see: an e-mail address, or else the subject. */
  readonly name: string;
  readonly issuer?: string;
  readonly subject?: string;
  /**
   * The time at which the sign-in and the caller's streams end, in milliseconds since 1970; undefined if they
   * never end.
   */
  readonly expiresAt?: number;
}

/** The part of a request that authenticates its caller. */
export interface Credentials {
  /** Returns a header's value; the values of a repeated header are joined by a comma. */
  header(name: string): string | undefined;
}

/** How a web page signs people in (OAuth 2.1 authorization code with PKCE). These values are public. */
export interface SignIn {
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** RFC 8707: the server that the access token is for. */
  readonly resource?: string;
  /** Further parameters of the authorization request. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Which token in the issuer's response the policy accepts. */
  readonly token: 'access' | 'id';
}

/** Authenticates the caller, and decides what the caller may do, for every route. */
export interface Access {
  /** Whether requests need no token (`AUTH=none`). */
  readonly open?: boolean;
  /** Returns the caller. @throws HttpError 401 if a token is required and the request has no valid token */
  authenticate(request: Credentials): Caller | Promise<Caller>;
  /**
   * Returns whether the caller has a permission in a namespace; without `namespace`, in at least one
   * namespace.
   * @param caller the value that this object's `authenticate` returned; other values have no permission
   */
  allows(caller: Caller, permission: Permission, namespace: string | undefined): boolean;
  reveal(namespace: string): Reveal;
  /** How long, in minutes, a web page may show payloads after one justification. */
  revealMinutes(namespace: string): number;
  /** Returns `undefined` if web pages cannot sign in or need no token. */
  signIn(): SignIn | undefined;
}

/**
 * The `Access` for `AUTH=none`: every client may do everything. Use it only for a server that listens on
 * loopback.
 */
export const openAccess: Access = {
  open: true,
  authenticate: () => ({ name: 'anonymous' }),
  allows: () => true,
  reveal: () => 'automatic',
  revealMinutes: () => 15,
  signIn: () => undefined,
};

export interface ReloadableAccess extends Access {
  /**
   * Calls `load`, and uses the result for new requests.
   * @throws what `load` throws; the previous `Access` then stays in use
   */
  reload(): void;
}

/**
 * Returns an `Access` that can be replaced while requests are in progress. The `Access` that
 * authenticated a request also decides the permissions of that request.
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
