import { type Finding, findings } from '../cli/finding.ts';

const { ok, warning, failed } = findings('codec server');

export interface DecodeAnswer {
  readonly status: number;
  readonly body: string;
  readonly milliseconds: number;
  /** The plaintext of the payload that was sent. */
  readonly expected: string;
  readonly isEncrypted: boolean;
  readonly namespace: string;
  readonly withToken: boolean;
}

const EXCERPT = 300;

/** Returns the findings about a codec server's response to `/decode`. */
export function checkAnswer(answer: DecodeAnswer): readonly Finding[] {
  const { status, body, withToken, namespace } = answer;
  // The finding can quote the server's own text, because the server's errors never contain plaintext.
  const said = body.slice(0, EXCERPT).trim();
  switch (status) {
    case 200:
      return [decoded(answer)];
    case 401:
      return withToken
        ? [failed(`the codec server refuses the token: ${said}`, 'cat policy.yaml   # issuers, audience')]
        : [
            ok('the codec server refuses callers without a token (401)'),
            warning(
              'authentication was not checked further: give a file with an access token',
              'temporal-kms doctor --app codec-server --token-file token.txt',
            ),
          ];
    case 403:
      return [failed(`the codec server refuses the request: ${said}`, ...fixOfRefusal(said, namespace))];
    case 400:
      return [
        failed(
          `the codec server cannot decode in the namespace ${namespace}: ${said}`,
          `temporal-kms doctor --app codec-server --namespace ${namespace}`,
        ),
      ];
    case 404:
      return [failed(`this is not the codec endpoint: ${said}`, 'export CODEC_PATH_PREFIX=…')];
    case 429:
      return [warning(`the codec server's rate limit refuses this caller: ${said}`)];
    case 503:
      return [failed(`the codec server cannot decode at present: ${said}`)];
    default:
      return [failed(`the codec server answered with status ${status}: ${said}`)];
  }
}

function decoded({ body, expected, isEncrypted, namespace, milliseconds, withToken }: DecodeAnswer): Finding {
  if (plaintextOf(body) !== expected) {
    return failed(`the codec server returned a different payload in the namespace ${namespace}`);
  }
  const caller = withToken ? ' for this token' : '';
  return isEncrypted
    ? ok(`the codec server decrypts a payload of ${namespace}${caller}`, milliseconds)
    : ok(
        `the codec server answers /decode in ${namespace}${caller} with an unencrypted payload`,
        milliseconds,
      );
}

function plaintextOf(body: string): unknown {
  try {
    const parsed: unknown = JSON.parse(body);
    const payloads: unknown = Reflect.get(Object(parsed), 'payloads');
    const data: unknown = Reflect.get(Object(Array.isArray(payloads) ? payloads[0] : undefined), 'data');
    return JSON.parse(Buffer.from(String(data), 'base64').toString());
  } catch {
    return undefined;
  }
}

function fixOfRefusal(said: string, namespace: string): string[] {
  if (said.includes('CODEC_ALLOWED_HOSTS')) return ['export CODEC_ALLOWED_HOSTS=codec.example.com'];
  if (said.includes('CODEC_CORS_ORIGINS')) return ['export CODEC_CORS_ORIGINS=https://temporal.example.com'];
  if (/justification/i.test(said)) {
    return [
      `temporal-kms doctor --app codec-server --namespace ${namespace} --justification "checking the set-up"`,
    ];
  }
  return [
    `# in the policy file, give this caller \`permissions: [decode]\` for ${namespace} (docs/access.md)`,
  ];
}
