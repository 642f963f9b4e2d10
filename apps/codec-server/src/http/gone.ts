import type { CallOptions } from '@temporal-kms/kms-codec';
import { GoneError } from '../refusal.ts';
import type { Env } from './context.ts';

type Asked = { readonly env?: Env['Bindings'] };

/** Whether nobody waits for the answer any more: the client went away, or was told that it took too long. */
export function isOver({ env }: Asked): boolean {
  const outgoing = env?.outgoing;
  return outgoing !== undefined && (outgoing.destroyed || outgoing.writableEnded);
}

/** Who asked, for work that may have to wait. Its signal costs more than a small request's check, and is made when it does. */
export class Asker implements CallOptions {
  readonly #asked: Asked;
  #signal: AbortSignal | undefined;

  constructor(asked: Asked) {
    this.#asked = asked;
  }

  /** Aborted with a GoneError once it is over. */
  get signal(): AbortSignal {
    return (this.#signal ??= goneSignal(this.#asked));
  }
}

function goneSignal(asked: Asked): AbortSignal {
  const gone = new AbortController();
  if (isOver(asked)) gone.abort(new GoneError());
  else asked.env?.outgoing?.once('close', () => gone.abort(new GoneError()));
  return gone.signal;
}
