/** A caller: the owner on the default port, who may do everything, or a principal such as `serviceAccount:a@b`. */
export type Caller = 'owner' | `${'serviceAccount' | 'user'}:${string}`;

const memberPattern = /^((user|serviceAccount|group|domain):[^\s]+|allUsers|allAuthenticatedUsers)$/;

/** Returns whether a member of a binding has the syntax of Cloud IAM. */
export const isMember = (member: string): boolean => memberPattern.test(member);

/**
 * Returns the principal of an identity, which can be given with or without its type:
 * `worker@p.iam.gserviceaccount.com`.
 */
export function parseIdentity(identity: string): Exclude<Caller, 'owner'> {
  const typed = /^(serviceAccount|user):(\S+@\S+)$/.exec(identity);
  if (typed !== null) return `${typed[1] === 'user' ? 'user' : 'serviceAccount'}:${typed[2] ?? ''}`;
  if (!/^[^\s:@]+@[^\s:@]+$/.test(identity)) {
    throw new TypeError(
      `"${identity}" is not an identity: write an e-mail address, serviceAccount:ADDRESS or user:ADDRESS.`,
    );
  }
  return identity.endsWith('.gserviceaccount.com') ? `serviceAccount:${identity}` : `user:${identity}`;
}

export function matchesMember(caller: Caller, member: string): boolean {
  if (member === 'allUsers' || member === 'allAuthenticatedUsers' || member === caller) return true;
  return member.startsWith('domain:') && caller.startsWith('user:') && caller.endsWith(`@${member.slice(7)}`);
}
