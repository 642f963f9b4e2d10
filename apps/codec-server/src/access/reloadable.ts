import type { Access, Caller } from './access.ts';

export interface ReloadableAccess extends Access {
  /** From now on callers are asked by what `load` gives. @throws what `load` throws; all stays as it was then */
  reload(): void;
}

/** An access that can be exchanged while requests are under way: those end under the one that let them in. */
export function reloadableAccess(load: () => Access): ReloadableAccess {
  let current = load();
  const admittedBy = new WeakMap<Caller, Access>();
  const admit = (access: Access, caller: Caller): Caller => {
    admittedBy.set(caller, access);
    return caller;
  };
  return {
    authenticate: (request) => {
      const access = current;
      const caller = access.authenticate(request);
      return caller instanceof Promise ? caller.then((known) => admit(access, known)) : admit(access, caller);
    },
    allows: (caller, permission, namespace) =>
      admittedBy.get(caller)?.allows(caller, permission, namespace) ?? false,
    reveal: (namespace) => current.reveal(namespace),
    signIn: () => current.signIn(),
    reload: () => {
      current = load();
    },
  };
}
