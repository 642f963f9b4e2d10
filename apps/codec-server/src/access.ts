import { Refusal } from './http/refusal.ts';

/** What a route lets its caller do. Every route names one; `decide` is asked before its handler runs. */
export type Permission = 'metadata' | 'decode' | 'encode';

export interface Caller {
  /** For the log; never a token. */
  readonly name: string;
}

/**
 * Who may do what: the one place that decides, for every route. With sign-in it gains other implementations; routes
 * stay as they are.
 */
export interface Access {
  /** Throws a Refusal (401) when the request doesn't say who it comes from and must. */
  authenticate(request: { header(name: string): string | undefined }): Caller | Promise<Caller>;
  /** Without a namespace: whether the permission is given anywhere. */
  allows(caller: Caller, permission: Permission, namespace: string | undefined): boolean;
}

/** `AUTH=none`: whoever reaches this server may do everything. Only for a server that listens on loopback. */
export const openAccess: Access = {
  authenticate: () => ({ name: 'anonymous' }),
  allows: () => true,
};

export async function decide(
  access: Access,
  request: { header(name: string): string | undefined },
  permission: Permission,
  namespace: string | undefined,
): Promise<Caller> {
  const caller = await access.authenticate(request);
  if (!access.allows(caller, permission, namespace)) {
    const where = namespace === undefined ? '' : ` in namespace "${namespace}"`;
    throw new Refusal(
      403,
      'forbidden',
      `You may not ${verbs[permission]}${where}. Ask whoever runs this server.`,
    );
  }
  return caller;
}

const verbs: Readonly<Record<Permission, string>> = {
  metadata: 'read workflows',
  decode: 'decode payloads',
  encode: 'encode payloads',
};
