import { readFile } from 'node:fs/promises';

/** A REST request. `path` is relative to the service's endpoint and contains the query. */
export interface RestCall {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

/**
 * A `gcloud` command in a document. Variables in the command's words have been replaced with their values.
 */
export interface GcloudLine {
  readonly words: readonly string[];
  /** The words before the first value or flag, without `gcloud`: `kms keys create`. */
  readonly command: string;
}

/** A command's arguments, by flag name. The argument without a flag has the name ''. */
type Args = Readonly<Record<string, string>>;

const location = ({ project, location: id }: Args) => `v1/projects/${project}/locations/${id}`;
const key = (args: Args) => `${location(args)}/keyRings/${args['keyring']}/cryptoKeys/${args['']}`;
const seconds = (period = '') => `${Number.parseInt(period, 10) * 86_400}s`;

/**
 * The requests that gcloud sends for each command in the documents. A request that changes a policy is a
 * function of the policy that the previous request returned.
 */
const calls: Readonly<Record<string, (args: Args) => (RestCall | ((policy: any) => RestCall))[]>> = {
  'services enable': ({ project, '': service }) => [
    { method: 'POST', path: `v1/projects/${project}/services/${service}:enable?alt=json`, body: {} },
  ],
  'kms keyrings create': (args) => [
    { method: 'POST', path: `${location(args)}/keyRings?alt=json&keyRingId=${args['']}`, body: {} },
  ],
  'kms keys create': (args) => [
    {
      method: 'POST',
      path: `${location(args)}/keyRings/${args['keyring']}/cryptoKeys?alt=json&cryptoKeyId=${args['']}`,
      body: {
        purpose: 'ENCRYPT_DECRYPT',
        rotationPeriod: seconds(args['rotation-period']),
        nextRotationTime: args['next-rotation-time'],
        versionTemplate: { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'SOFTWARE' },
      },
    },
  ],
  'kms keys add-iam-policy-binding': (args) => [
    { method: 'GET', path: `${key(args)}:getIamPolicy?alt=json&options.requestedPolicyVersion=3` },
    ({ etag }) => ({
      method: 'POST',
      path: `${key(args)}:setIamPolicy?alt=json`,
      body: { policy: { bindings: [{ members: [args['member']], role: args['role'] }], etag, version: 3 } },
    }),
  ],
  'logging read': ({ project, limit, '': filter }) => [
    {
      method: 'POST',
      path: 'v2/entries:list?alt=json',
      body: {
        filter: `timestamp>="${new Date(Date.now() - 86_400_000).toISOString()}" AND ${filter}`,
        orderBy: 'timestamp desc',
        pageSize: Number(limit),
        resourceNames: [`projects/${project}`],
      },
    },
  ],
};

export const knownCommands = new Set(Object.keys(calls));

/** Sends a command's requests in order, and returns the requests. */
export async function sendLine(
  line: GcloudLine,
  send: (call: RestCall) => Promise<unknown>,
): Promise<RestCall[]> {
  const sent: RestCall[] = [];
  let answer: unknown;
  for (const one of calls[line.command]?.(argsOf(line)) ?? []) {
    const call = typeof one === 'function' ? one(answer) : one;
    // oxlint-disable-next-line no-await-in-loop -- the second request contains the etag of the first response
    answer = await send(call);
    sent.push(call);
  }
  return sent;
}

/**
 * Returns the gcloud commands in the code blocks of a document in `docs/`.
 *
 * @param variables the values of the shell variables in the commands
 */
export async function gcloudLines(
  name: string,
  variables: Readonly<Record<string, string>>,
): Promise<GcloudLine[]> {
  const markdown = await readFile(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8');
  const expanded = (text: string) =>
    text.replaceAll(/\$\{?([A-Z_]+)\}?/g, (_, variable: string) => {
      const value = variables[variable];
      if (value === undefined) throw new Error(`The test has no value of $${variable} in docs/${name}.`);
      return value;
    });
  const blocks = [...markdown.matchAll(/^```\S*\n([^]*?)^```$/gm)].map(([, code = '']) => code);
  const code = blocks.join('\n').replaceAll(/\\\n\s*/g, '');
  const lines = code.split('\n').filter((line) => line.startsWith('gcloud '));
  return lines.map((line) => {
    const words = (expanded(line).match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? []).map((word) =>
      // Quotes around a whole word or a flag's value belong to the shell.
      word.replace(/^(--[a-z-]+=)?(["'])(.*)\2$/, '$1$3'),
    );
    const command = words.slice(1).filter((word) => /^[a-z][a-z-]*$/.test(word));
    const known = [...knownCommands].find((one) => command.join(' ').startsWith(one));
    return { words, command: known ?? command.join(' ') };
  });
}

function argsOf({ words, command }: GcloudLine): Args {
  const rest = words.slice(1 + command.split(' ').length);
  return Object.fromEntries(
    rest.map((word) => {
      const [, flag = '', value = word] = /^--([a-z-]+)=([^]*)$/.exec(word) ?? [];
      return [flag, value];
    }),
  );
}
