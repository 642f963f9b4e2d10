import type { CallOptions, PlaintextBudget } from '@temporal-kms/kms-codec';
import { ClientDisconnected } from '../errors.ts';
import type { Env } from './context.ts';

/** What the codec asks and reports while it decrypts for a request. */
type Access = Required<Pick<CallOptions, 'authorizeNamespace' | 'onInnerLayer' | 'innerKmsCalls'>>;
type Asked = { readonly env?: Env['Bindings'] };

/** Whether nobody waits for the answer any more: the client went away, or was told that it took too long. */
export function isResponseClosed({ env }: Asked): boolean {
  const outgoing = env?.outgoing;
  return outgoing !== undefined && (outgoing.destroyed || outgoing.writableEnded);
}

/** Who asked, for work that may have to wait. Its signal costs more than a small request's check, and is made when it does. */
export class RequestSignal implements CallOptions {
  readonly authorizeNamespace?: NonNullable<Access['authorizeNamespace']>;
  readonly onInnerLayer?: Access['onInnerLayer'];
  readonly innerKmsCalls?: Access['innerKmsCalls'];
  readonly #asked: Asked;
  readonly budget: PlaintextBudget;
  #signal: AbortSignal | undefined;

  /** @param access of a request that decrypts */
  constructor(asked: Asked, budget: PlaintextBudget, access?: Access) {
    this.#asked = asked;
    this.budget = budget;
    if (access === undefined) return;
    this.authorizeNamespace = access.authorizeNamespace;
    this.onInnerLayer = access.onInnerLayer;
    this.innerKmsCalls = access.innerKmsCalls;
  }

  /** Aborted with a ClientDisconnected once it is over. */
  get signal(): AbortSignal {
    return (this.#signal ??= goneSignal(this.#asked));
  }
}

function goneSignal(asked: Asked): AbortSignal {
  const gone = new AbortController();
  if (isResponseClosed(asked)) gone.abort(new ClientDisconnected());
  else asked.env?.outgoing?.once('close', () => gone.abort(new ClientDisconnected()));
  return gone.signal;
}
