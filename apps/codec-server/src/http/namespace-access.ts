import type { AuditedObject, AuditRecord, Intent, Outcome } from '@temporal-kms/audit';
import type { KeyUse, PayloadRef, ReasonCode } from '@temporal-kms/codec-api';
import { keyOf } from '@temporal-kms/histories/payloads';
import { type InnerLayer, KmsCodecError } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import { ClientDisconnected, HttpError } from '../errors.ts';
import { authorise, type Authority, type Decrypting, type Grant, requireJustification } from './authorise.ts';
import { clientAddress, type Env } from './context.ts';

/**
 * Maximum number of other namespaces whose messages one request decrypts. Each namespace costs two audit
 * entries.
 */
const MAX_OTHER_NAMESPACES = 32;

/** A request that decrypts. The justification for the request's own namespace has already been checked. */
export interface Reveal extends Omit<
  Intent,
  'caller' | 'peer' | 'operation' | 'namespace' | 'requestNamespace' | 'digests'
> {
  /** Digests of the ciphertexts, by the namespace that the messages name. */
  readonly digests?: ReadonlyMap<string, readonly string[]>;
  /** The operation in the audit of the request's own namespace. Default: the grant's permission. */
  readonly operation?: 'query' | undefined;
}

/** The state of another namespace: being checked, denied, or admitted and recorded in its audit. */
type Admission = Promise<void> | KmsCodecError | AuditRecord;

/**
 * Decides which namespaces' messages one request may decrypt, and writes each namespace's audit. `accepts` in
 * the keys file only specifies which messages a namespace's workers read. For every namespace that a message
 * names, the caller also needs the route's permission and, if required, a justification. Before the first
 * decryption, an audit intent is written in that namespace. Without these checks, a caller could read a
 * namespace's messages by copying its ciphertext into another namespace.
 */
export class NamespaceAccess {
  readonly #c: Context<Env>;
  readonly #authority: Authority;
  readonly #grant: Grant<Decrypting>;
  readonly #reveal: Reveal;
  readonly #home: AuditRecord;
  readonly #others = new Map<string, Admission>();
  #result: Outcome | undefined;

  private constructor(
    c: Context<Env>,
    authority: Authority,
    grant: Grant<Decrypting>,
    reveal: Reveal,
    home: AuditRecord,
  ) {
    this.#c = c;
    this.#authority = authority;
    this.#grant = grant;
    this.#reveal = reveal;
    this.#home = home;
  }

  /**
   * Writes the audit intents in the request's namespace and in `others`. The caller must always call `end` on
   * the result.
   *
   * @param grant for the request's own namespace
   * @param others further namespaces that the request's messages name
   * @throws HttpError 403 if the caller may not decrypt the messages of one of `others`, 413 if there are too
   * many of them, 503 `audit_unavailable`
   */
  static async begin(
    c: Context<Env>,
    authority: Authority,
    grant: Grant<Decrypting>,
    reveal: Reveal,
    others: ReadonlySet<string> = new Set(),
  ): Promise<NamespaceAccess> {
    if (others.size > MAX_OTHER_NAMESPACES) throw new HttpError(413, 'too_large', TOO_MANY);
    for (const namespace of others) await permit(c, authority, grant, reveal, namespace);
    const { operation = grant.permission } = reveal;
    const home = await authority.audit.begin({ ...intentOf(c, grant, reveal), operation });
    const access = new NamespaceAccess(c, authority, grant, reveal, home);
    try {
      for (const namespace of others) access.#others.set(namespace, await access.#record(namespace));
    } catch (error) {
      await access.end('failed').catch(() => undefined);
      throw error;
    }
    return access;
  }

  /**
   * The codec calls this function before it decrypts a message that names a namespace other than the
   * request's.
   * @throws KmsCodecError `namespace_not_permitted`, whose cause is the HttpError
   */
  readonly authorizeNamespace = (namespace: string): void | Promise<void> => {
    if (namespace === this.#grant.namespace) return;
    const known = this.#others.get(namespace);
    if (known instanceof KmsCodecError) throw known;
    if (known instanceof Promise) return known;
    if (known === undefined) return this.#admit(namespace);
  };

  /**
   * The codec calls this function after it has decrypted a layer inside a payload. If the layer names
   * another namespace, that namespace's audit counts the layer as a payload. Otherwise, the request's own
   * audit only adds the layer's key, because that audit already counts the whole payload.
   */
  readonly onInnerLayer = (layer: InnerLayer): void => {
    const record = this.#recordOf(layer.namespace);
    record.done(keyOf(layer).key, record === this.#home ? 0 : 1);
  };

  /**
   * Writes the audit's entry for an object of external storage, before the object is read.
   * @throws HttpError `audit_unavailable`
   */
  readonly recordObject = (object: AuditedObject): Promise<void> => this.#home.object(object);

  /**
   * Records decrypted payloads.
   * @param namespace the namespace that the payloads name; by default, or if unknown, the request's own
   */
  done(key: KeyUse | undefined, payloads = 1, namespace?: string): void {
    this.#recordOf(namespace).done(key, payloads);
  }

  /** Records a payload that was not decrypted. @param namespace as for `done` */
  refused(
    code: ReasonCode,
    of: { readonly ref?: PayloadRef; readonly key?: KeyUse } = {},
    namespace?: string,
  ): void {
    this.#recordOf(namespace).refused(code, of);
  }

  /**
   * Writes the outcome in every namespace. Further calls do nothing.
   * @throws HttpError `audit_unavailable`; in that case, do not return plaintext
   */
  async end(result: Outcome): Promise<void> {
    this.#result ??= result;
    await Promise.allSettled([...this.#others.values()].filter((admission) => admission instanceof Promise));
    const records = [this.#home, ...[...this.#others.values()].filter(isAuditRecord)];
    const ended = await Promise.allSettled(records.map((record) => record.end(result)));
    const failed = ended.find((written) => written.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #recordOf(namespace: string | undefined): AuditRecord {
    const other = namespace === undefined ? undefined : this.#others.get(namespace);
    return other !== undefined && isAuditRecord(other) ? other : this.#home;
  }

  #admit(namespace: string): Promise<void> {
    if (this.#others.size >= MAX_OTHER_NAMESPACES)
      throw new KmsCodecError('namespace_not_permitted', TOO_MANY);
    const admission = this.#record(namespace).then(
      (record) => void this.#others.set(namespace, record),
      (error: unknown) => {
        const denied = notPermitted(namespace, error);
        // A denial is final, but an audit that cannot be written now may be writable for the next payload.
        if (error instanceof HttpError && error.status === 403) this.#others.set(namespace, denied);
        else this.#others.delete(namespace);
        throw denied;
      },
    );
    this.#others.set(namespace, admission);
    return admission;
  }

  async #record(namespace: string): Promise<AuditRecord> {
    const granted = await permit(this.#c, this.#authority, this.#grant, this.#reveal, namespace);
    const requestNamespace = this.#grant.namespace;
    const record = await this.#authority.audit.begin(
      intentOf(this.#c, granted, { ...this.#reveal, requestNamespace }),
    );
    if (this.#result === undefined) return record;
    await record.end(this.#result);
    throw new ClientDisconnected();
  }
}

const TOO_MANY =
  `One request decrypts messages of at most ${MAX_OTHER_NAMESPACES} namespaces in addition to its own. ` +
  'Request fewer payloads at a time.';

const isAuditRecord = (admission: Admission): admission is AuditRecord =>
  !(admission instanceof Promise || admission instanceof KmsCodecError);

/**
 * Checks the caller's permission and justification in another namespace, and returns the grant.
 * @throws HttpError 403 `forbidden` or `justification_required`; both are recorded as `denied` in the other
 *   namespace's audit
 */
async function permit(
  c: Context<Env>,
  authority: Authority,
  { permission, namespace: requestNamespace }: Grant<Decrypting>,
  reveal: Reveal,
  namespace: string,
): Promise<Grant<Decrypting>> {
  const about = aboutOf({ ...reveal, requestNamespace }, namespace);
  const granted = await authorise(c, authority, c.get('caller'), permission, namespace, about);
  await requireJustification(c, authority, granted, about, reveal.justification);
  return granted;
}

type About = Omit<Intent, 'caller' | 'peer' | 'operation' | 'namespace'>;
type InNamespace = Reveal & Pick<Intent, 'requestNamespace'>;

function aboutOf({ digests, ...reveal }: InNamespace, namespace: string): About {
  const own = digests?.get(namespace);
  return { ...reveal, ...(own && { digests: own }) };
}

const intentOf = (
  c: Context<Env>,
  { permission: operation, namespace }: Grant<Decrypting>,
  reveal: InNamespace,
): Intent => ({
  ...aboutOf(reveal, namespace),
  operation,
  namespace,
  caller: c.get('caller'),
  peer: clientAddress(c),
});

function notPermitted(namespace: string, cause: unknown): KmsCodecError {
  const why =
    cause instanceof HttpError
      ? cause.message
      : 'The server could not check the permission; its log contains the cause.';
  return new KmsCodecError(
    'namespace_not_permitted',
    `The payload contains a message of namespace "${namespace}". ${why}`,
    { cause },
  );
}
