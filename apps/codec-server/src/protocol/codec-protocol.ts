import type { Digests } from '@temporal-kms/audit';
import type { Payload } from '@temporal-kms/histories/payloads';
import { utf8Text } from '@temporal-kms/histories/bytes';
import { type InnerKmsCalls, type KmsCodec, KmsCodecError, type PayloadInfo } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import { type Authority, forGrant, type Grant, requireJustification } from '../http/authorise.ts';
import { readBody } from '../http/bodies.ts';
import { clientAddress, type Env, RequestSignal } from '../http/context.ts';
import type { Limits } from '../http/limits.ts';
import { NamespaceAccess } from '../http/namespace-access.ts';
import { leaseOf } from '../http/request-memory.ts';
import { reply } from '../http/responses.ts';
import { chargedTo, MAX_KMS_CALLS } from '../observability/kms-calls.ts';
import type { Spans } from '../observability/spans.ts';
import type { MemoryLease } from '../memory.ts';
import { badRequest, HttpError } from '../errors.ts';
import { parseInSteps, writePayloads } from '../json/payload-json.ts';
import { freeObjects, type Located, retrievalIn, type ServedStorage } from '../storage/retrieval.ts';
import type { FairTurns } from '../turns/fair-turns.ts';
import { atOnce, inTurns, WHOLE_BYTES } from '../turns/slices.ts';
import { AnswerBudget } from './answer-budget.ts';
import { recordDecoded, withAudit } from './audited-slices.ts';
import { digestsOf } from './payload-digests.ts';
import { retrievedPayloads, type RetrievedPayloadsOptions } from './retrieved-payloads.ts';

export interface ProtocolOptions {
  readonly codec: Pick<KmsCodec, 'encodeWithInfo' | 'plan' | 'rules'>;
  readonly limits: Pick<Limits, 'maxPayloads'>;
  readonly turns: FairTurns;
  readonly authority: Authority;
  /** Computes digests for the audit. Without this field, the audit contains no digests. */
  readonly digests?: Digests | undefined;
  /** Without this field, references to external storage are returned unchanged. */
  readonly storage?: ServedStorage | undefined;
  /** Without spans, operations are not traced. */
  readonly spans?: Pick<Spans, 'operation'> | undefined;
}

/**
 * Implements Temporal's codec protocol (codec-server/README.md in temporalio/samples-go, and
 * NewPayloadHTTPHandler in temporalio/sdk-go). `decode` also reads the objects of references to external
 * storage, unless the query has `preserveStorageRefs=true`; `download` takes only such references. `encode`
 * stores nothing in external storage, because workers' remote codecs call `encode`. Errors are text, because
 * the CLI prints the body.
 */
export function codecProtocol(options: ProtocolOptions): CodecProtocol {
  const { codec, authority, limits, spans, turns } = options;
  const { audit, rates } = authority;
  const planFor = forGrant(
    ['decode'],
    (namespace) => (payloads: Payload[]) => codec.plan(payloads, { namespace }),
  );
  const encoderFor = forGrant(
    ['encode'],
    (namespace) => (payloads: Payload[], request: RequestSignal) =>
      codec.encodeWithInfo(payloads, { namespace }, request),
  );

  const retrievalOf = forGrant(['decode'], retrievalIn(options.storage));

  const read = async (c: Context<Env>, lease: MemoryLease): Promise<Read> => {
    const account = c.get('account');
    const turn = turns.take(account, REQUEST_WORK);
    if (turn) await turn;
    const body = await readBody(c, lease);
    if (body.length > SMALL_WORK) await turns.take(account, body.length);
    const parsing = parseInSteps(body, limits.maxPayloads, lease);
    const payloads = body.length > WHOLE_BYTES ? await inTurns(parsing) : atOnce(parsing);
    turns.charge(account, payloads.length * PAYLOAD_WORK);
    lease.release(body.length);
    return { payloads, budget: new AnswerBudget(lease, payloads) };
  };

  /**
   * Returns a promise if the request must wait for its turn, because processing its payloads takes a long
   * time.
   */
  const turnOf = (c: Context<Env>, payloads: readonly Payload[]): Promise<void> | undefined => {
    const work = payloads.reduce((sum, { data }) => sum + (data?.length ?? 0) + PAYLOAD_WORK, 0);
    return work > WHOLE_BYTES ? turns.take(c.get('account'), work) : undefined;
  };

  const decodeWith = async (
    c: Context<Env>,
    grant: Grant<'decode'>,
    lease: MemoryLease,
    isDownload: boolean,
  ): Promise<Payload[]> => {
    const { namespace } = grant;
    const preserves = !isDownload && c.req.query('preserveStorageRefs') === 'true';
    const retrieval = retrievalOf(grant)(rates.storage(c.get('account'), 'now'));
    const planOf = planFor(grant);
    const given = headerText(c.req.header('x-reveal-justification'));
    const justification = await requireJustification(c, authority, grant, {}, given);
    const { payloads, budget } = await read(c, lease);
    const targetOf = (payload: Payload): Located | undefined =>
      isDownload ? retrieval?.locate(payload) : retrieval?.target(payload);
    const targets = payloads.map(targetOf);
    const plan = planOf(payloads);
    if (isDownload && plan.payloads.some(({ format }) => format === 'plain')) throw notReferences();
    const allowance = rates.kms(c.get('account'));
    const isAllowed = allowance === undefined || allowance.available() > 0;
    let calls = 0;
    // Fast path for most requests: a single payload under a cached data key takes no Cloud KMS call.
    if (payloads.length > 1 || !isAllowed) {
      calls = plan.kmsCalls;
      // A single payload is always decrypted, however many calls it needs, because no smaller request is
      // possible.
      if (payloads.length > 1 && calls > MAX_KMS_CALLS) throw tooManyKmsCalls();
      if (allowance !== undefined && calls > 0) await rates.takeKms(c, allowance, calls, lease.held);
    }
    const reveal = {
      ...(justification !== undefined && { justification }),
      ...(options.digests && {
        digests: await inTurns(digestsOf(options.digests, payloads, plan.payloads, namespace)),
      }),
    } as const;
    const access = await NamespaceAccess.begin(
      c,
      authority,
      grant,
      reveal,
      otherNamespaces(plan.payloads, namespace),
    );
    const { authorizeNamespace, onInnerLayer } = access;
    const infos = [...plan.payloads];
    // A namespace that refuses plaintext also refuses plaintext references, with two exceptions: references
    // to objects with an encrypted payload, and references that the Web UI may download.
    const passes = targets.map(
      (target) => target !== undefined && !(preserves && target instanceof KmsCodecError),
    );
    const direct = passes.includes(true)
      ? planOf(payloads.map((payload, n) => (passes[n] ? {} : payload)))
      : plan;
    const innerKmsCalls = limitInnerCalls(payloads.length > 1 ? MAX_KMS_CALLS - calls : Infinity);
    const hooks = { authorizeNamespace, onInnerLayer, innerKmsCalls };
    const request = new RequestSignal(c, budget, hooks);
    const inPlace = retrieval && new RequestSignal(c, budget, { ...hooks, overwrite: true });
    const objects: Payload[] = [];
    const decryptContent: RetrievedPayloadsOptions['decrypt'] = async (content, kmsCalls, work) => {
      if (allowance !== undefined && kmsCalls > 0) await rates.takeKms(c, allowance, kmsCalls, lease.held);
      const turn = turnOf(c, [content]);
      if (turn) await turn;
      return await chargedTo(allowance, work);
    };
    const decrypt = async (start: number, end: number): Promise<Payload[]> => {
      const turn = turnOf(c, payloads.length === end - start ? payloads : payloads.slice(start, end));
      if (turn) await turn;
      const decrypted = await chargedTo(allowance, () => direct.decrypt(request, start, end));
      if (retrieval !== undefined && inPlace !== undefined) {
        const references = new Map<number, Located>();
        for (let n = start; n < end; n += 1) {
          const [payload = {}, answer = payload] = [payloads[n], decrypted[n - start]];
          // The decrypted payload may be a reference, because a proxy encrypts the references that workers
          // write.
          const target = preserves ? undefined : (targets[n] ?? targetOf(answer));
          if (target !== undefined) references.set(n, target);
          else if (isDownload) throw notReferences();
          else if (passes[n]) decrypted[n - start] = payload;
        }
        const retrieved = await retrievedPayloads(references, {
          retrieval,
          plan: planOf,
          access,
          request: inPlace,
          objects,
          lease,
          decrypt: decryptContent,
        });
        for (const [n, { payload, info }] of retrieved) {
          decrypted[n - start] = payload;
          if (info !== undefined) infos[n] = info;
        }
      }
      recordDecoded(access, infos, start, end);
      return decrypted;
    };
    const decoded = await withAudit(c, access, payloads, infos, decrypt);
    if (objects.length > 0) c.env?.outgoing?.once('finish', () => freeObjects(objects));
    return decoded;
  };

  const encode = async (c: Context<Env>, grant: Grant<'encode'>, lease: MemoryLease): Promise<Payload[]> => {
    const { namespace } = grant;
    const encoder = encoderFor(grant);
    requireEncryptKey(codec, namespace);
    const caller = c.get('caller');
    const allowance = rates.kms(c.get('account'));
    const wait = allowance?.waitMs() ?? 0;
    if (wait > 0) throw rates.kmsExhausted(wait);
    const { payloads, budget } = await read(c, lease);
    const record = await audit.begin({ operation: 'encode', caller, peer: clientAddress(c), namespace });
    const request = new RequestSignal(c, budget);
    const encrypt = async (start: number, end: number): Promise<Payload[]> => {
      const slice = payloads.length === end - start ? payloads : payloads.slice(start, end);
      const turn = turnOf(c, slice);
      if (turn) await turn;
      const encoded = await chargedTo(allowance, () => encoder(slice, request));
      recordDecoded(record, encoded.infos);
      return encoded.payloads;
    };
    return await withAudit(c, record, payloads, [], encrypt);
  };

  const answering =
    <O extends Operation>(
      operation: O,
      run: (c: Context<Env>, grant: Grant<O>, lease: MemoryLease) => Promise<Payload[]>,
    ) =>
    async (c: Context<Env>, grant: Grant<O>): Promise<Response> => {
      const lease = leaseOf(c);
      const work = (): Promise<Payload[]> => run(c, grant, lease);
      try {
        const payloads = await (spans === undefined
          ? work()
          : spans.operation(operation, grant.namespace, work));
        const turn = turnOf(c, payloads);
        if (turn) await turn;
        const answer = writePayloads(payloads);
        if (c.env?.outgoing === undefined) lease.end();
        else lease.shrinkTo(answer.length);
        return reply(c, answer, 'application/json');
      } catch (error) {
        lease.end();
        throw error;
      }
    };
  return {
    encode: answering('encode', encode),
    decode: answering('decode', (c, grant, lease) => decodeWith(c, grant, lease, false)),
    ...(options.storage && {
      download: answering('decode', (c, grant, lease) => decodeWith(c, grant, lease, true)),
    }),
  };
}

type Operation = 'encode' | 'decode';

/**
 * Amounts of work for `FairTurns`: the work of a small request, the work of each payload in addition to
 * its bytes, and the largest amount of work that does not have to wait for a turn.
 */
const REQUEST_WORK = 16 * 1024;
const PAYLOAD_WORK = 4 * 1024;
const SMALL_WORK = 64 * 1024;

type Handle<O extends Operation> = (c: Context<Env>, grant: Grant<O>) => Promise<Response>;

/** Handles requests of authorised callers in a namespace. */
export interface CodecProtocol {
  readonly encode: Handle<'encode'>;
  readonly decode: Handle<'decode'>;
  /** Undefined if the server does not read external storage. */
  readonly download?: Handle<'decode'>;
}

/** @throws HttpError 403 `forbidden` if the namespace has no key that encrypts */
export function requireEncryptKey({ rules }: Pick<KmsCodec, 'rules'>, namespace: string): void {
  if (rules.resolve(namespace).encrypt !== undefined) return;
  throw new HttpError(
    403,
    'forbidden',
    `This codec server only decodes in namespace "${namespace}": no encryption key is configured for it.`,
  );
}

/** Uses the message of Temporal's own handlers. */
const notReferences = (): HttpError => badRequest('all payloads must be storage references');

/** Limits the Cloud KMS calls for layers inside payloads, which the codec finds only during decryption. */
function limitInnerCalls(limit: number): InnerKmsCalls {
  const reserved = new Set<string>();
  return {
    reserve: (ids) => {
      for (const id of ids) reserved.add(id);
      if (reserved.size > limit) throw tooManyKmsCalls();
    },
  };
}

const tooManyKmsCalls = (): HttpError =>
  new HttpError(
    413,
    'too_large',
    `The payloads have more than ${MAX_KMS_CALLS} uncached wrapped keys, and each key needs a Cloud KMS call ` +
      '(a message that names no key counts once for each possible key); send fewer payloads per request.',
  );

interface Read {
  readonly payloads: Payload[];
  readonly budget: AnswerBudget;
}

function otherNamespaces(infos: readonly PayloadInfo[], namespace: string): ReadonlySet<string> {
  const others = new Set<string>();
  for (const { namespace: named } of infos) if (named !== undefined && named !== namespace) others.add(named);
  return others;
}

/**
 * Returns the text of a header. Node provides one character per byte; the CLI sends UTF-8, and browsers send
 * only Latin-1.
 */
const headerText = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : (utf8Text(Buffer.from(value, 'latin1')) ?? value);
