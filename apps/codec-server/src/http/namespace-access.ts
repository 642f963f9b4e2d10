import type { KeyUse, PayloadRef, ReasonCode } from '@temporal-kms/codec-api';
import { type InnerLayer, KmsCodecError } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import type { AuditRecord, Intent, Outcome } from '../audit/audit.ts';
import { keyOf } from '../payload.ts';
import { ClientDisconnected, HttpError } from '../errors.ts';
import { authorise, type Authority } from './authorise.ts';
import type { Env } from './context.ts';
import { clientAddress } from './client-address.ts';
import { requireJustification } from './justification.ts';

/** One request may decrypt messages of so many namespaces besides its own: each costs two audit entries. */
const MAX_OTHER_NAMESPACES = 32;

/** A request that decrypts. Its namespace's permission and justification have been checked already. */
export interface Reveal extends Omit<Intent, 'caller' | 'peer' | 'requestNamespace' | 'digests'> {
  readonly namespace: string;
  /** Digests of the ciphertexts of each namespace that they name. */
  readonly digests?: ReadonlyMap<string, readonly string[]>;
}

/** What became of another namespace: being validate, refused, or on record. */
type Admission = Promise<void> | KmsCodecError | AuditRecord;

/**
 * Decides for one request which namespaces' messages it may decrypt, and keeps the audit of each. The keys file's
 * `accepts` says what a namespace's workers read; a caller needs the request's own permission in every namespace that a
 * message names, a justification where that namespace asks for one, and an audit intent there before the first
 * decryption. Anything else would let a caller read a namespace by copying its ciphertext into another one.
 */
export class NamespaceAccess {
  readonly #c: Context<Env>;
  readonly #authority: Authority;
  readonly #reveal: Reveal;
  readonly #home: AuditRecord;
  readonly #others = new Map<string, Admission>();
  #result: Outcome | undefined;

  private constructor(c: Context<Env>, authority: Authority, reveal: Reveal, home: AuditRecord) {
    this.#c = c;
    this.#authority = authority;
    this.#reveal = reveal;
    this.#home = home;
  }

  /**
   * Writes the audit intents of the request's namespace and of `others`. Call `end` on the result, whatever happens.
   *
   * @param others namespaces that the request can't be served without
   * @throws HttpError 403 when the caller may not decrypt messages of one of the others, 413 when there are too many of
   *   them, 503 `audit_unavailable`
   */
  static async begin(
    c: Context<Env>,
    authority: Authority,
    reveal: Reveal,
    others: ReadonlySet<string> = new Set(),
  ): Promise<NamespaceAccess> {
    if (others.size > MAX_OTHER_NAMESPACES) throw new HttpError(413, 'too_large', TOO_MANY);
    for (const namespace of others) await permit(c, authority, reveal, namespace);
    const home = await authority.audit.begin(intentOf(c, reveal));
    const access = new NamespaceAccess(c, authority, reveal, home);
    try {
      for (const namespace of others) access.#others.set(namespace, await access.#record(namespace));
    } catch (error) {
      await access.end('failed').catch(() => undefined);
      throw error;
    }
    return access;
  }

  /**
   * The codec calls it before it decrypts a message that names another namespace than the request's.
   * @throws KmsCodecError `namespace_not_permitted`, whose cause is the HttpError
   */
  readonly authorizeNamespace = (namespace: string): void | Promise<void> => {
    if (namespace === this.#reveal.namespace) return;
    const known = this.#others.get(namespace);
    if (known instanceof KmsCodecError) throw known;
    if (known instanceof Promise) return known;
    if (known === undefined) return this.#admit(namespace);
  };

  /**
   * The codec calls it after it decrypted a layer inside a payload. In another namespace's audit it counts as a payload;
   * in the request's own, whose payload is counted as a whole, it adds its key.
   */
  readonly onInnerLayer = (layer: InnerLayer): void => {
    const record = this.#recordOf(layer.namespace);
    record.done(keyOf(layer).key, record === this.#home ? 0 : 1);
  };

  /** Payloads were decrypted. @param namespace that they name; unknown or absent: the request's own */
  done(key: KeyUse | undefined, payloads = 1, namespace?: string): void {
    this.#recordOf(namespace).done(key, payloads);
  }

  /** A payload was not decrypted. @param namespace as for `done` */
  refused(
    code: ReasonCode,
    of: { readonly ref?: PayloadRef; readonly key?: KeyUse } = {},
    namespace?: string,
  ): void {
    this.#recordOf(namespace).refused(code, of);
  }

  /**
   * Writes the outcome in every namespace, once; later calls change nothing.
   * @throws HttpError `audit_unavailable`: give no plaintext out
   */
  async end(result: Outcome): Promise<void> {
    this.#result ??= result;
    await Promise.allSettled([...this.#others.values()].filter((admission) => admission instanceof Promise));
    const records = [this.#home, ...[...this.#others.values()].filter(isRecord)];
    const ended = await Promise.allSettled(records.map((record) => record.end(result)));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  #recordOf(namespace: string | undefined): AuditRecord {
    const other = namespace === undefined ? undefined : this.#others.get(namespace);
    return other !== undefined && isRecord(other) ? other : this.#home;
  }

  #admit(namespace: string): Promise<void> {
    if (this.#others.size >= MAX_OTHER_NAMESPACES)
      throw new KmsCodecError('namespace_not_permitted', TOO_MANY);
    const admission = this.#record(namespace).then(
      (record) => void this.#others.set(namespace, record),
      (error: unknown) => {
        const refused = notPermitted(namespace, error);
        // An audit that could not be written may be written for the next payload.
        if (error instanceof HttpError && error.status === 403) this.#others.set(namespace, refused);
        else this.#others.delete(namespace);
        throw refused;
      },
    );
    this.#others.set(namespace, admission);
    return admission;
  }

  async #record(namespace: string): Promise<AuditRecord> {
    await permit(this.#c, this.#authority, this.#reveal, namespace);
    const record = await this.#authority.audit.begin(intentOf(this.#c, inOther(this.#reveal, namespace)));
    if (this.#result === undefined) return record;
    await record.end(this.#result);
    throw new ClientDisconnected();
  }
}

const TOO_MANY =
  `One request decrypts messages of at most ${MAX_OTHER_NAMESPACES} namespaces besides its own. ` +
  'Ask for fewer payloads at a time.';

const isRecord = (admission: Admission): admission is AuditRecord =>
  !(admission instanceof Promise || admission instanceof KmsCodecError);

/** @throws HttpError 403 `forbidden` or `justification_required`; both leave a `denied` entry in the other namespace's audit */
async function permit(
  c: Context<Env>,
  authority: Authority,
  reveal: Reveal,
  namespace: string,
): Promise<void> {
  const intent = intentOf(c, inOther(reveal, namespace));
  await authorise(c, authority, intent.caller, reveal.operation, namespace, intent);
  await requireJustification(c, authority, { ...intent, namespace }, reveal.justification);
}

type InOther = Reveal & Pick<Intent, 'requestNamespace'>;

const inOther = (reveal: Reveal, namespace: string): InOther => ({
  ...reveal,
  namespace,
  requestNamespace: reveal.namespace,
});

function intentOf(c: Context<Env>, { digests, ...reveal }: InOther): Intent {
  const own = digests?.get(reveal.namespace);
  return { ...reveal, caller: c.get('caller'), peer: clientAddress(c), ...(own && { digests: own }) };
}

function notPermitted(namespace: string, cause: unknown): KmsCodecError {
  const why = cause instanceof HttpError ? cause.message : 'The server could not check it; its log says why.';
  return new KmsCodecError(
    'namespace_not_permitted',
    `The payload holds a message of namespace "${namespace}". ${why}`,
    { cause },
  );
}
