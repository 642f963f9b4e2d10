import { kmsEnvironment, type KmsSettings } from '@temporal-kms/kms-codec';
import { z } from 'zod';
import type { Environment } from './environment.ts';
import { host, hostHeader, isLoopback, list, logLevel, origin, port } from './fields.ts';
import { kmsVariables, logVariables, temporalVariables } from './shared-variables.ts';

export interface CodecServerConfig {
  readonly host: string;
  readonly port: number;
  /** Origins whose pages may call the server; empty: none but its own. */
  readonly corsOrigins: readonly string[];
  /** `Host` headers that are answered, lower case; absent: the loopback names with the port that is bound. */
  readonly allowedHosts?: readonly string[];
  /** Before every route: empty or `/…` without a slash at the end. */
  readonly pathPrefix: string;
  readonly auth: 'none';
  readonly logLevel: z.infer<typeof logLevel>;
  readonly kms: KmsSettings;
}

const settings = z
  .object({
    CODEC_HOST: host,
    CODEC_PORT: port,
    CODEC_CORS_ORIGINS: list(origin).optional(),
    CODEC_ALLOWED_HOSTS: list(hostHeader).optional(),
    CODEC_PATH_PREFIX: z
      .string()
      .regex(/^(\/[\w.~-]+)+$/, 'must begin with / and must not end with one')
      .optional(),
    AUTH: z.enum(['none'], 'must be none: this version knows no sign-in and serves loopback only'),
    LOG_LEVEL: logLevel,
  })
  .refine((values) => values.AUTH !== 'none' || isLoopback(values.CODEC_HOST), {
    path: ['CODEC_HOST'],
    error: 'must be a loopback address while AUTH is none: whoever reaches the server reads plaintext',
    // Zod leaves refinements out when a field is wrong; this mistake shall be told together with the others.
    when: ({ value }) => z.object({ CODEC_HOST: host }).safeParse(value).success,
  })
  .transform((values) => ({
    host: values.CODEC_HOST,
    port: values.CODEC_PORT,
    corsOrigins: values.CODEC_CORS_ORIGINS ?? [],
    ...(values.CODEC_ALLOWED_HOSTS && { allowedHosts: values.CODEC_ALLOWED_HOSTS }),
    pathPrefix: values.CODEC_PATH_PREFIX ?? '',
    auth: values.AUTH,
    logLevel: values.LOG_LEVEL,
  }));

/** What the codec server reads. */
export const codecServerEnvironment: Environment<CodecServerConfig> = {
  variables: {
    CODEC_HOST: { about: 'Address to listen on', example: '127.0.0.1', default: '127.0.0.1' },
    CODEC_PORT: { about: 'Port to listen on', example: '8088', default: '8088' },
    CODEC_CORS_ORIGINS: {
      about: "Web pages that may ask for plaintext, between commas: Temporal's Web UI, a dashboard elsewhere",
      example: 'https://temporal.example.com,https://decrypt.example.com',
    },
    CODEC_ALLOWED_HOSTS: {
      about: 'Host headers that are answered, between commas (default the loopback names with the port)',
      example: 'codec.example.com',
    },
    CODEC_PATH_PREFIX: { about: 'Path before every route', example: '/codec' },
    AUTH: {
      about: 'Who may call; none is refused when CODEC_HOST is not loopback',
      example: 'none',
      default: 'none',
    },
    ...temporalVariables,
    ...kmsVariables,
    ...logVariables,
  },
  schema: z.intersection(
    settings,
    kmsEnvironment.transform((kms) => ({ kms })),
  ),
};
