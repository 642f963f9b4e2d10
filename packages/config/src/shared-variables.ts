import type { Variable } from './environment.ts';

/** Variables that `@temporalio/envconfig` reads; listed here for `--help` and the log. */
export const temporalVariables = {
  TEMPORAL_ADDRESS: {
    about: 'Temporal server, host:port (default: localhost:7233)',
    example: 'localhost:7233',
  },
  TEMPORAL_NAMESPACE: { about: 'Temporal namespace (default: default)', example: 'payments-prod' },
  TEMPORAL_API_KEY: { about: 'API key of Temporal Cloud', example: '<key>', secret: true },
  TEMPORAL_TLS: { about: 'Whether to use TLS', example: 'true' },
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: {
    about: "Certificates (PEM) of the private certificate authority that issued the server's certificate",
    example: '/etc/temporal/ca.pem',
  },
  TEMPORAL_TLS_SERVER_NAME: {
    about: "Name in the server's certificate, if it differs from the address",
    example: 'temporal.example.com',
  },
  TEMPORAL_TLS_CLIENT_CERT_PATH: {
    about: 'Client certificate (PEM), if the server requires a client certificate',
    example: '/etc/temporal/client.pem',
  },
  TEMPORAL_TLS_CLIENT_KEY_PATH: {
    about: "The client certificate's private key (PEM)",
    example: '/etc/temporal/client.key',
  },
  TEMPORAL_CONFIG_FILE: { about: "Temporal's profile file", example: '/etc/temporal/temporal.toml' },
  TEMPORAL_PROFILE: { about: 'Profile to use from the profile file', example: 'prod' },
} as const satisfies Record<string, Variable>;

/** Variables that kms-codec's `kmsEnvironment` validates; listed here for `--help` and the log. */
export const kmsVariables = {
  GCP_PROJECT: { about: "The key ring's Google Cloud project", example: 'acme-prod' },
  GCP_KMS_LOCATION: { about: "The key ring's location (default: global)", example: 'us-east1' },
  GCP_KMS_KEY_RING: { about: 'Key ring', example: 'temporal-keys' },
  GCP_KMS_KEY: { about: 'Crypto key', example: 'workflow-encryption' },
  KMS_KEYS_FILE: {
    about: 'File with the keys of several namespaces (YAML), instead of GCP_KMS_KEY',
    example: '/etc/temporal-kms/keys.yaml',
  },
  KMS_FORMAT: { about: 'Format of new payloads (default: envelope-v2)', example: 'envelope-v2' },
  KMS_UNSAFE: {
    about:
      'Accepts the risk of reading the formats direct and envelope under one key (docs/security-model.md)',
    example: 'direct-with-envelope',
  },
  KMS_COMPRESSION: {
    about: 'Compression of payloads before encryption: none (default) or zstd',
    example: 'zstd',
  },
  KMS_BIND_WORKFLOW: {
    about: 'Whether new ciphertext can be decrypted only in its workflow',
    example: 'true',
  },
  KMS_BRANCH_KEYS: {
    about: 'Where processes share wrapped branch keys: none (default), file:/DIRECTORY or gs://BUCKET/PREFIX',
    example: 'gs://acme-branch-keys/production',
  },
  KMS_EMULATOR_HOST: {
    about: 'KMS emulator on this machine, for development only',
    example: '127.0.0.1:9061',
  },
  KMS_EMULATOR_IN_PRODUCTION: {
    about:
      '1 allows the emulator even if NODE_ENV is production, as in the images; only for trials and tests',
    example: '1',
  },
  GOOGLE_APPLICATION_CREDENTIALS: {
    about: "Google's credentials file, if the machine has no default credentials",
    example: '/etc/google/credentials.json',
  },
  GOOGLE_SDK_NODE_LOGGING: {
    about: "Must not be set: it makes Google's client print plaintext data keys",
    example: '(unset)',
  },
  NODE_DEBUG: { about: 'Must not be set: it makes Node print data keys and tokens', example: '(unset)' },
  NODE_OPTIONS: {
    about: 'Node options; must not open an inspector, or write memory, reports or TLS keys to a file',
    example: '--max-old-space-size=384',
  },
  KMS_ALLOW_DIAGNOSTICS: {
    about:
      'true allows debugging with the options that NODE_OPTIONS must not contain; only with KMS_EMULATOR_HOST',
    example: 'true',
  },
} as const satisfies Record<string, Variable>;

export const logVariables = {
  LOG_LEVEL: { about: 'Lowest level of log lines, or silent', example: 'debug', default: 'info' },
} as const satisfies Record<string, Variable>;

/** Variables that configure where and how decryptions are audited. */
export const auditVariables = {
  AUDIT_FILE: {
    about: 'File to append audit lines to (default: standard output)',
    example: '/var/log/temporal-kms/audit.jsonl',
  },
  AUDIT_FSYNC: {
    about: 'Whether audit lines count as written only when they are on disk, which is slower',
    example: 'true',
    default: 'false',
  },
  AUDIT_DIGEST_KEY_FILE: {
    about:
      'File with a key (64 hexadecimal digits) for audit digests of the ciphertexts to decrypt; unset: no digests',
    example: '/etc/temporal-kms/audit-digest.key',
  },
} as const satisfies Record<string, Variable>;
