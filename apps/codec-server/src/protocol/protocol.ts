import type { InnerKmsCalls, KmsCodec } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import type { Digests } from '../audit/digests.ts';
import { type Authority, requireJustification } from '../http/authorise.ts';
import { readBody } from '../http/bodies.ts';
import { clientAddress, type Env, RequestSignal } from '../http/context.ts';
import type { Limits } from '../http/limits.ts';
import { NamespaceAccess } from '../http/namespace-access.ts';
import { reply } from '../http/responses.ts';
import { MAX_UNOPENED } from '../keys/kms-limits.ts';
import { chargedTo } from '../kms-allowance.ts';
import type { Payload } from '../payload.ts';
import type { MemoryLease } from '../memory/budget.ts';
import { ClientDisconnected, HttpError } from '../errors.ts';
import { buildPayloads, parsePayloads } from '../json/payload-json.ts';
import { AnswerBudget } from './answer-budget.ts';
import { headerText } from './header-text.ts';
import { inSlices } from './in-slices.ts';
import { recorded, type Sealed, tellDone } from './records.ts';

export interface ProtocolOptions {
  readonly codec: Pick<KmsCodec, 'encode' | 'decode' | 'inspect' | 'unopened' | 'rules'>;
  readonly limits: Pick<Limits, 'maxPayloads'>;
  readonly authority: Authority;
  /** Absent: the audit has no digests. */
  readonly digests?: Digests | undefined;
}

/**
 * Temporal's codec protocol (codec-server/README.md in temporalio/samples-go). Queries such as
 * `?preserveStorageRefs=true` change nothing: references to external storage always come back as they are. Errors are
 * text, since the CLI prints the body as it comes.
 */
export function codecProtocol(options: ProtocolOptions): CodecProtocol {
  const { codec, authority, limits } = options;
  const { audit, rates } = authority;

  const read = async (c: Context<Env>, lease: MemoryLease): Promise<Read> => {
    const body = await readBody(c, lease);
    const payloads = parsePayloads(body, limits.maxPayloads, lease);
    lease.release(body.length);
    return { payloads, budget: new AnswerBudget(lease, payloads) };
  };

  const decode = async (c: Context<Env>, namespace: string, lease: MemoryLease): Promise<Payload[]> => {
    const given = headerText(c.req.header('x-reveal-justification'));
    const justification = await requireJustification(c, authority, { operation: 'decode', namespace }, given);
    const { payloads, budget } = await read(c, lease);
    const sealed = payloads.map((payload) => codec.inspect(payload, { namespace }));
    const allowance = rates.kms(c.get('caller'));
    const isAllowed = allowance === undefined || allowance.available() > 0;
    let needs = 0;
    // The usual single payload under a data key that is at hand isn't counted before.
    if (payloads.length > 1 || !isAllowed) {
      needs = codec.unopened(payloads, { namespace });
      // A single one is opened whatever it needs: nobody could ask for less.
      if (payloads.length > 1 && needs > MAX_UNOPENED) throw tooManyKeys();
      const wait = allowance === undefined || needs === 0 ? 0 : allowance.take(needs);
      if (wait > 0) throw rates.kmsExhausted(wait);
    }
    const reveal = {
      operation: 'decode',
      namespace,
      ...(justification !== undefined && { justification }),
      ...(options.digests && { digests: digestsOf(options.digests, payloads, sealed, namespace) }),
    } as const;
    const record = await NamespaceAccess.begin(c, authority, reveal, otherNamespaces(sealed, namespace));
    const { authorizeNamespace, onInnerLayer } = record;
    const innerKmsCalls = innerCalls(payloads.length > 1 ? MAX_UNOPENED - needs : Infinity);
    const requestSignal = new RequestSignal(c, budget, { authorizeNamespace, onInnerLayer, innerKmsCalls });
    let done = 0;
    const open = async (slice: Payload[]): Promise<Payload[]> => {
      const opened = await chargedTo(allowance, () => codec.decode(slice, { namespace }, requestSignal));
      tellDone(record, sealed.slice(done, (done += slice.length)));
      return opened;
    };
    return await recorded(c, record, sealed, () => inSlices(c, payloads, open));
  };

  const encode = async (c: Context<Env>, namespace: string, lease: MemoryLease): Promise<Payload[]> => {
    if (codec.rules.resolve(namespace).encrypt === undefined) {
      throw new HttpError(
        403,
        'forbidden',
        `This codec server only decodes in namespace "${namespace}": its keys name none that encrypts there.`,
      );
    }
    const caller = c.get('caller');
    const allowance = rates.kms(caller);
    const wait = allowance?.waitMs() ?? 0;
    if (wait > 0) throw rates.kmsExhausted(wait);
    const { payloads, budget } = await read(c, lease);
    const record = await audit.begin({
      operation: 'encode',
      caller,
      peer: clientAddress(c),
      namespace,
    });
    const requestSignal = new RequestSignal(c, budget);
    const seal = async (slice: Payload[]): Promise<Payload[]> => {
      const sealed = await chargedTo(allowance, () => codec.encode(slice, { namespace }, requestSignal));
      tellDone(
        record,
        sealed.map((payload) => codec.inspect(payload, { namespace })),
      );
      return sealed;
    };
    return await recorded(c, record, [], () => inSlices(c, payloads, seal));
  };

  const answering = (work: typeof decode) => async (c: Context<Env>, namespace: string) => {
    const lease = leaseOf(c);
    try {
      const answer = buildPayloads(await work(c, namespace, lease));
      if (c.env?.outgoing === undefined) lease.end();
      else lease.shrinkTo(answer.length);
      return reply(c, answer, 'application/json');
    } catch (error) {
      lease.end();
      throw error;
    }
  };
  return { encode: answering(encode), decode: answering(decode) };
}

/** Answers requests of authorised callers in a namespace. */
export type CodecProtocol = Readonly<
  Record<'encode' | 'decode', (c: Context<Env>, namespace: string) => Promise<Response>>
>;

/** Layers inside the payloads are met only when these are decrypted: their data keys count for the same limit. */
function innerCalls(limit: number): InnerKmsCalls {
  const asked = new Set<string>();
  return {
    reserve: (ids) => {
      for (const id of ids) asked.add(id);
      if (asked.size > limit) throw tooManyKeys();
    },
  };
}

const tooManyKeys = (): HttpError =>
  new HttpError(
    413,
    'too_large',
    `The payloads are under more than ${MAX_UNOPENED} data keys that Cloud KMS would have to be asked for (one of ` +
      'a message that names no key counts for each that it may be under); send fewer payloads a request.',
  );

interface Read {
  readonly payloads: Payload[];
  readonly budget: AnswerBudget;
}

/** Memory for one request, until its connection is done with the answer. */
function leaseOf(c: Context<Env>): MemoryLease {
  const outgoing = c.env?.outgoing;
  if (outgoing?.destroyed === true) throw new ClientDisconnected();
  const lease = c.get('memory').lease();
  outgoing?.once('close', () => lease.end());
  return lease;
}

/** By the namespace that each ciphertext names, or else the one that was asked in. */
function digestsOf(
  digests: Digests,
  payloads: readonly Payload[],
  sealed: readonly Sealed[],
  namespace: string,
): ReadonlyMap<string, readonly string[]> {
  const byNamespace = new Map<string, string[]>();
  for (const [n, { data }] of payloads.entries()) {
    const one = sealed[n];
    if (!data || one === undefined || one.format === 'plain') continue;
    const named = one.namespace ?? namespace;
    const known = byNamespace.get(named);
    if (known === undefined) byNamespace.set(named, [digests.of(data)]);
    else known.push(digests.of(data));
  }
  return byNamespace;
}

function otherNamespaces(sealed: readonly Sealed[], namespace: string): ReadonlySet<string> {
  const others = new Set<string>();
  for (const { namespace: named } of sealed)
    if (named !== undefined && named !== namespace) others.add(named);
  return others;
}
