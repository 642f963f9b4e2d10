import { type KmsCodec, KmsCodecError } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import type { Permission } from '../access/access.ts';
import { authorise, type Authority } from '../http/authorise.ts';
import { keyOf } from '../history/stub.ts';
import { type Env, peerOf, reply } from '../http/context.ts';
import { badRequest, Refusal } from '../http/refusal.ts';
import { buildPayloads, parsePayloads, PayloadJsonError } from '../payload-json.ts';

export interface ProtocolOptions {
  readonly codec: Pick<KmsCodec, 'encode' | 'decode' | 'inspect'>;
  readonly authority: Authority;
  readonly serves: (namespace: string) => boolean;
}

const RETRY_SECONDS = 5;

/**
 * Temporal's codec protocol (codec-server/README.md in temporalio/samples-go): only the path's last segment counts,
 * below any prefix. Queries such as `?preserveStorageRefs=true` change nothing: references to external storage
 * always come back as they are. Errors are text, since the CLI prints the body as it comes.
 */
export function codecProtocol({
  codec,
  authority,
  serves,
}: ProtocolOptions): (c: Context<Env>) => Promise<Response> {
  return async (c) => {
    const operation = operationOf(c.req.path);
    c.set('route', `*/${operation}`);
    if (c.req.method !== 'POST') {
      throw new Refusal(405, 'bad_request', `${operation} takes POST, with {"payloads": [...]} as JSON.`);
    }
    const namespace = namespaceOf(c.req.header('x-namespace'), serves);
    await authorise(c, authority, operation, namespace);
    const payloads = parse(await c.req.text());
    const record = await authority.audit.begin({
      operation,
      caller: c.get('caller'),
      peer: peerOf(c),
      namespace,
    });
    try {
      const answer = await codec[operation](payloads, { namespace });
      // The sealed side names the key: what came in, or what goes out.
      for (const sealed of operation === 'decode' ? payloads : answer) {
        record.done(keyOf(codec.inspect(sealed, { namespace })).key);
      }
      await record.end('complete');
      return reply(c, buildPayloads(answer), 'application/json');
    } catch (error) {
      if (error instanceof KmsCodecError) record.refused(error.code);
      await record.end('failed');
      throw error instanceof KmsCodecError ? refusalOf(error) : error;
    }
  };
}

function operationOf(path: string): Extract<Permission, 'encode' | 'decode'> {
  switch (path.slice(path.lastIndexOf('/') + 1)) {
    case 'encode':
      return 'encode';
    case 'decode':
      return 'decode';
    case 'download':
      throw new Refusal(
        404,
        'not_found',
        'This codec server is not configured to download from external storage.',
      );
    default:
      throw new Refusal(404, 'not_found', 'Nothing is here. A codec endpoint ends in /encode or /decode.');
  }
}

function namespaceOf(header: string | undefined, serves: (namespace: string) => boolean): string {
  // The Web UI sends the word where a page has no namespace.
  if (header === undefined || header === '' || header === 'undefined') {
    throw new Refusal(
      400,
      'namespace_required',
      'Say which namespace the payloads are of: X-Namespace is missing. (The CLI sends it from --namespace.)',
    );
  }
  if (!serves(header)) throw badRequest('This codec server has no keys for the namespace in X-Namespace.');
  return header;
}

function parse(body: string): ReturnType<typeof parsePayloads> {
  try {
    return parsePayloads(body);
  } catch (error) {
    throw error instanceof PayloadJsonError
      ? badRequest(`Not Temporal's codec protocol: ${error.message}.`)
      : error;
  }
}

function refusalOf(error: KmsCodecError): Refusal {
  const version = error.keyVersion === undefined ? '' : `, version ${error.keyVersion}`;
  const key = error.key === undefined ? '' : `\nKey: ${error.key}${version}`;
  const message = `${error.code}: ${error.message}${key}`;
  return error.code === 'kms_unavailable' || error.code === 'kms_quota'
    ? new Refusal(503, 'internal', message, { retryAfter: RETRY_SECONDS, cause: error })
    : badRequest(message, error);
}
