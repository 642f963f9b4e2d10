import { kmsEnvironment, type KmsSettings } from '@temporal-kms/kms-codec';
import { z } from 'zod';
import type { Environment } from './environment.ts';
import {
  count,
  countOrOff,
  host,
  hostHeader,
  isLoopback,
  list,
  logLevel,
  origin,
  port,
  seconds,
} from './fields.ts';
import { auditVariables, kmsVariables, logVariables, temporalVariables } from './shared-variables.ts';
import { type TracingConfig, tracingFields, tracingOf, tracingVariables } from './tracing.ts';

export interface CodecServerConfig {
  readonly host: string;
  readonly port: number;
  /**
   * Origins whose web pages may call the server. If this list is empty, only pages from the server's own origin may
   * call the server.
   */
  readonly corsOrigins: readonly string[];
  /**
   * Accepted `Host` headers in lower case. Without this list, the server accepts the loopback names with the bound
   * port.
   */
  readonly allowedHosts?: readonly string[];
  /** The dashboard that the server serves, if any. */
  readonly dashboard?: {
    readonly folder: string;
    /**
     * Origins that the content security policy allows, in addition to those of the server and of the sign-in
     * issuer.
     */
    readonly connectSources: readonly string[];
    readonly frameSources: readonly string[];
    readonly temporalUiUrl?: string;
  };
  /**
   * Path prefix of every route except the probes: either empty, or a path such as `/codec` that does not end with a
   * slash.
   */
  readonly pathPrefix: string;
  /** Whether the server also serves `/{namespace}/encode` and `/{namespace}/decode`. */
  readonly namespacePaths: boolean;
  /** Limits. The server has a default for each of them. */
  readonly limits: {
    /** The maximum size of a request body, in bytes. */
    readonly maxBody?: number;
    readonly maxPayloads?: number;
    readonly maxRequests?: number;
    readonly maxStreams?: number;
    readonly requestMs?: number;
  };
  /** Limits per minute. `undefined` means no limit. */
  readonly rates: {
    /** Number of Cloud KMS requests that one caller may cause. */
    readonly kmsRequests: number | undefined;
    /** Number of bytes of external storage that the server reads for one caller. */
    readonly storageBytes: number | undefined;
    /** Number of refused requests per caller, or per IP address if the requests have no valid token. */
    readonly refused: number | undefined;
  };
  /**
   * Bytes of memory that requests in flight share. By default, the server derives this number from the memory
   * limit.
   */
  readonly maxInflightBytes?: number;
  /** The certificate and key for TLS. Without these files, the server uses plain HTTP. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Where the server serves metrics. Without this address, the server serves no metrics. */
  readonly metrics?: {
    readonly host: string;
    readonly port: number;
    /**
     * Accepted `Host` headers of requests for `/metrics`, in lower case. Without this list, the server
     * accepts the loopback names with the metrics port.
     */
    readonly allowedHosts?: readonly string[];
  };
  /** The export of traces; absent if the server exports none. */
  readonly tracing?: TracingConfig;
  /**
   * Number of addresses that trusted proxies append to `X-Forwarded-For`, including the client's. By default, the server
   * trusts no proxy.
   */
  readonly proxies?: number;
  /** The audit file. Without this file, the audit goes to standard output. */
  readonly auditFile?: string;
  /** Whether an audit line counts as written only once it is on disk. */
  readonly auditFsync: boolean;
  /** The file with the digest key. Without this key, the audit contains no digests of ciphertexts. */
  readonly auditDigestKeyFile?: string;
  /** The storage file. Without this file, the server does not resolve references to external storage. */
  readonly storageFile?: string;
  /** The report of a scan. Without this report, the API returns keys without scan results. */
  readonly scanReportFile?: string;
  /**
   * The policy file, which `AUTH=policy` requires. With `AUTH=none`, there is no policy file, and every caller on
   * loopback may do everything.
   */
  readonly policyFile?: string;
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
      .regex(/^(\/[\w.~-]+)+$/, 'must begin with / and must not end with /')
      .optional(),
    CODEC_DASHBOARD_DIR: z.string().optional(),
    CODEC_DASHBOARD_CONNECT_SOURCES: list(origin).optional(),
    CODEC_DASHBOARD_FRAME_SOURCES: list(origin).optional(),
    CODEC_DASHBOARD_TEMPORAL_UI_URL: z
      .url({ protocol: /^https?$/, error: 'must be a URL with http or https' })
      .optional(),
    AUTH: z.enum(['none', 'policy'], 'must be policy or, on loopback, none'),
    POLICY_FILE: z.string().optional(),
    // `kmsEnvironment` rejects 0.
    NODE_TLS_REJECT_UNAUTHORIZED: z.string().optional(),
    CODEC_TLS_CERT_FILE: z.string().optional(),
    CODEC_TLS_KEY_FILE: z.string().optional(),
    CODEC_METRICS_HOST: host,
    CODEC_METRICS_PORT: port.optional(),
    CODEC_METRICS_ALLOWED_HOSTS: list(hostHeader).optional(),
    AUDIT_FILE: z.string().optional(),
    AUDIT_FSYNC: z.stringbool('must be true or false'),
    AUDIT_DIGEST_KEY_FILE: z.string().optional(),
    CODEC_STORAGE_FILE: z.string().optional(),
    SCAN_REPORT_FILE: z.string().optional(),
    CODEC_NAMESPACE_PATHS: z.stringbool('must be true or false'),
    CODEC_TRUSTED_PROXIES: count.optional(),
    CODEC_MAX_BODY: count.optional(),
    CODEC_MAX_INFLIGHT_BYTES: count
      .refine((value) => value >= 32 * 1024 * 1024, 'must be at least 33554432 (32 MiB)')
      .optional(),
    CODEC_MAX_PAYLOADS: count.optional(),
    CODEC_MAX_REQUESTS: count.optional(),
    CODEC_MAX_STREAMS: count.optional(),
    CODEC_REQUEST_SECONDS: seconds.refine((value) => value > 0, 'must be above 0').optional(),
    CODEC_RATE_KMS_REQUESTS: countOrOff,
    CODEC_RATE_REFUSED: countOrOff,
    CODEC_RATE_STORAGE_BYTES: countOrOff,
    ...tracingFields,
    LOG_LEVEL: logLevel,
  })
  .refine(({ AUTH, POLICY_FILE }) => (AUTH === 'policy') === (POLICY_FILE !== undefined), {
    path: ['POLICY_FILE'],
    error: 'must be set with AUTH=policy, and only then',
    when: ({ value }) =>
      z.object({ AUTH: z.string(), POLICY_FILE: z.string().optional() }).safeParse(value).success,
  })
  .refine((values) => values.AUTH !== 'none' || isLoopback(values.CODEC_HOST), {
    path: ['CODEC_HOST'],
    error: 'must be a loopback address while AUTH is none: every client that can connect can read plaintext',
    // Zod skips refinements if a field is invalid. With `when`, Zod reports this mistake even if another field is
    // invalid.
    when: ({ value }) => z.object({ CODEC_HOST: host }).safeParse(value).success,
  })
  .superRefine((values, context) => {
    const pair = ['CODEC_TLS_CERT_FILE', 'CODEC_TLS_KEY_FILE'] as const;
    const missing = pair.filter((name) => values[name] === undefined);
    const [only] = missing;
    if (missing.length !== 1 || only === undefined) return;
    context.addIssue({
      code: 'custom',
      path: [only],
      message: `is missing; TLS needs both ${pair.join(' and ')}`,
    });
  })
  .transform((values) => ({
    host: values.CODEC_HOST,
    port: values.CODEC_PORT,
    corsOrigins: values.CODEC_CORS_ORIGINS ?? [],
    ...(values.CODEC_ALLOWED_HOSTS && { allowedHosts: values.CODEC_ALLOWED_HOSTS }),
    pathPrefix: values.CODEC_PATH_PREFIX ?? '',
    ...(values.CODEC_DASHBOARD_DIR !== undefined && {
      dashboard: {
        folder: values.CODEC_DASHBOARD_DIR,
        connectSources: values.CODEC_DASHBOARD_CONNECT_SOURCES ?? [],
        frameSources: values.CODEC_DASHBOARD_FRAME_SOURCES ?? [],
        ...(values.CODEC_DASHBOARD_TEMPORAL_UI_URL !== undefined && {
          temporalUiUrl: values.CODEC_DASHBOARD_TEMPORAL_UI_URL,
        }),
      },
    }),
    namespacePaths: values.CODEC_NAMESPACE_PATHS,
    ...(values.CODEC_TRUSTED_PROXIES !== undefined && { proxies: values.CODEC_TRUSTED_PROXIES }),
    limits: {
      ...(values.CODEC_MAX_BODY !== undefined && { maxBody: values.CODEC_MAX_BODY }),
      ...(values.CODEC_MAX_PAYLOADS !== undefined && { maxPayloads: values.CODEC_MAX_PAYLOADS }),
      ...(values.CODEC_MAX_REQUESTS !== undefined && { maxRequests: values.CODEC_MAX_REQUESTS }),
      ...(values.CODEC_MAX_STREAMS !== undefined && { maxStreams: values.CODEC_MAX_STREAMS }),
      ...(values.CODEC_REQUEST_SECONDS !== undefined && { requestMs: values.CODEC_REQUEST_SECONDS * 1000 }),
    },
    rates: {
      kmsRequests: values.CODEC_RATE_KMS_REQUESTS,
      refused: values.CODEC_RATE_REFUSED,
      storageBytes: values.CODEC_RATE_STORAGE_BYTES,
    },
    ...(values.CODEC_MAX_INFLIGHT_BYTES !== undefined && {
      maxInflightBytes: values.CODEC_MAX_INFLIGHT_BYTES,
    }),
    ...(values.CODEC_TLS_CERT_FILE !== undefined &&
      values.CODEC_TLS_KEY_FILE !== undefined && {
        tls: { certFile: values.CODEC_TLS_CERT_FILE, keyFile: values.CODEC_TLS_KEY_FILE },
      }),
    ...(values.CODEC_METRICS_PORT !== undefined && {
      metrics: {
        host: values.CODEC_METRICS_HOST,
        port: values.CODEC_METRICS_PORT,
        ...(values.CODEC_METRICS_ALLOWED_HOSTS && { allowedHosts: values.CODEC_METRICS_ALLOWED_HOSTS }),
      },
    }),
    ...tracingOf(values),
    ...(values.AUDIT_FILE !== undefined && { auditFile: values.AUDIT_FILE }),
    auditFsync: values.AUDIT_FSYNC,
    ...(values.AUDIT_DIGEST_KEY_FILE !== undefined && { auditDigestKeyFile: values.AUDIT_DIGEST_KEY_FILE }),
    ...(values.CODEC_STORAGE_FILE !== undefined && { storageFile: values.CODEC_STORAGE_FILE }),
    ...(values.SCAN_REPORT_FILE !== undefined && { scanReportFile: values.SCAN_REPORT_FILE }),
    ...(values.POLICY_FILE !== undefined && { policyFile: values.POLICY_FILE }),
    logLevel: values.LOG_LEVEL,
  }));

/** The environment of the codec server. */
export const codecServerEnvironment: Environment<CodecServerConfig> = {
  prefixes: ['CODEC_'],
  variables: {
    CODEC_HOST: { about: 'Address to listen on', example: '127.0.0.1', default: '127.0.0.1' },
    CODEC_PORT: { about: 'Port to listen on', example: '8088', default: '8088' },
    CODEC_CORS_ORIGINS: {
      about: 'Comma-separated origins whose web pages may call the server',
      example: 'https://temporal.example.com,https://decrypt.example.com',
    },
    CODEC_ALLOWED_HOSTS: {
      about:
        'Comma-separated Host headers to accept, with the port unless it is 443 or 80 (default: the loopback names)',
      example: 'codec.example.com',
    },
    CODEC_PATH_PREFIX: { about: 'Path prefix of every route except the probes', example: '/codec' },
    CODEC_DASHBOARD_DIR: {
      about: 'Folder with the dashboard build to serve (default: none)',
      example: '/srv/dashboard',
    },
    CODEC_DASHBOARD_CONNECT_SOURCES: {
      about:
        "Comma-separated origins to add to connect-src in the dashboard's content security policy, such as a token " +
        "endpoint's",
      example: 'https://oauth2.example.com',
    },
    CODEC_DASHBOARD_FRAME_SOURCES: {
      about:
        "Comma-separated origins to add to frame-src in the dashboard's content security policy, such as an " +
        "authorization endpoint's",
      example: 'https://login.example.com',
    },
    CODEC_DASHBOARD_TEMPORAL_UI_URL: {
      about: "Temporal's Web UI, to which the dashboard links; unset: no link",
      example: 'https://temporal.example.com',
    },
    CODEC_NAMESPACE_PATHS: {
      about: 'Whether to also serve /{namespace}/encode and /{namespace}/decode',
      example: 'true',
      default: 'false',
    },
    CODEC_TRUSTED_PROXIES: {
      about:
        "Number of addresses that trusted proxies append to X-Forwarded-For, including the client's (2 for Google's load " +
        "balancers); unset: the server uses the connection's address",
      example: '2',
    },
    CODEC_MAX_BODY: {
      about:
        'Largest request body, in bytes (default: 16 MiB, or less if CODEC_MAX_INFLIGHT_BYTES is below 128 MiB)',
      example: '4194304',
    },
    CODEC_MAX_INFLIGHT_BYTES: {
      about:
        'Bytes of memory that all requests in flight share (default: (memory limit - 192 MiB) / 2, between 32 and 512 MiB)',
      example: '268435456',
    },
    CODEC_MAX_PAYLOADS: {
      about: 'Maximum number of payloads in one /encode or /decode (default: 10000)',
      example: '1000',
    },
    CODEC_MAX_REQUESTS: {
      about: 'Maximum number of requests in flight, except streams (default: 256)',
      example: '64',
    },
    CODEC_MAX_STREAMS: {
      about: 'Maximum number of streams that the history API keeps open (default: 256)',
      example: '64',
    },
    CODEC_REQUEST_SECONDS: {
      about: 'Time limit of a request, except a stream, in seconds (default: 30)',
      example: '10',
    },
    CODEC_RATE_KMS_REQUESTS: {
      about: 'Cloud KMS requests per minute per caller; off: no limit',
      example: 'off',
      default: '6000',
    },
    CODEC_RATE_REFUSED: {
      about:
        'Refused requests (4xx) per minute per caller or, without a valid token, per IP address; off: no limit',
      example: '60',
      default: '600',
    },
    CODEC_RATE_STORAGE_BYTES: {
      about: 'Bytes of external storage per minute per caller; off: no limit',
      example: '4294967296',
      default: '1073741824',
    },
    CODEC_TLS_CERT_FILE: {
      about: 'Certificate with its chain (PEM) for TLS; reloaded when it changes',
      example: '/etc/temporal-kms/tls.crt',
    },
    CODEC_TLS_KEY_FILE: {
      about: "The certificate's private key (PEM)",
      example: '/etc/temporal-kms/tls.key',
    },
    CODEC_METRICS_HOST: {
      about: 'Address of the port for metrics and probes',
      example: '0.0.0.0',
      default: '127.0.0.1',
    },
    CODEC_METRICS_PORT: {
      about: 'Port for metrics (Prometheus text) and probes, without sign-in; unset: no metrics',
      example: '9464',
    },
    CODEC_METRICS_ALLOWED_HOSTS: {
      about:
        'Comma-separated Host headers to accept on /metrics, with the port unless it is 80 (default: the loopback names)',
      example: 'codec-server.payments.svc:9464',
    },
    ...tracingVariables,
    ...auditVariables,
    CODEC_STORAGE_FILE: {
      about: 'Buckets and directories of external storage that each namespace may read (YAML; default: none)',
      example: '/etc/temporal-kms/storage.yaml',
    },
    SCAN_REPORT_FILE: {
      about:
        'Report of temporal-kms scan (--out) for the API and the dashboard; read again when it changes (default: none)',
      example: '/var/lib/temporal-kms/scan.json',
    },
    AUTH: {
      about: 'Who may call: callers that POLICY_FILE allows (policy), or every caller on loopback (none)',
      example: 'policy',
      default: 'none',
    },
    POLICY_FILE: {
      about: "Token issuers, and callers' permissions by namespace (YAML); requires AUTH=policy",
      example: '/etc/temporal-kms/policy.yaml',
    },
    NODE_TLS_REJECT_UNAUTHORIZED: {
      about: 'Must not be 0, because 0 makes Node trust every certificate of issuers, Temporal and Cloud KMS',
      example: '(unset)',
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
