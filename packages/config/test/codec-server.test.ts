import { describe, expect, test } from 'vitest';
import { codecServerEnvironment, parseConfig, printableConfig } from '../src/index.ts';
import { kms, mistakesOf } from './environments.ts';

const parse = (values: Record<string, string>) => parseConfig(codecServerEnvironment, { ...kms, ...values });
const mistakes = (values: Record<string, string>) => mistakesOf(() => parse(values));

test('has a safe default for every setting except the key', () => {
  expect(parse({})).toMatchObject({
    host: '127.0.0.1',
    port: 8088,
    corsOrigins: [],
    pathPrefix: '',
    logLevel: 'info',
  });
  expect(parse({})).not.toHaveProperty('allowedHosts');
  expect(parse({})).not.toHaveProperty('policyFile');
});

describe('rate limit configuration', () => {
  test('contains a default for each limit, unless the operator turns the limit off', () => {
    expect(parse({}).rates).toEqual({ kmsRequests: 6_000, storageBytes: 2 ** 30, refused: 600 });
    const off = { CODEC_RATE_KMS_REQUESTS: 'off', CODEC_RATE_STORAGE_BYTES: 'off', CODEC_RATE_REFUSED: '1' };
    expect(parse(off).rates).toEqual({ kmsRequests: undefined, storageBytes: undefined, refused: 1 });
  });

  test.each(['0', '-1', 'none', '1.5', '1e3', 'OFF'])('rejects %s as a limit', (value) => {
    expect(mistakes({ CODEC_RATE_REFUSED: value })).toEqual([
      ['CODEC_RATE_REFUSED', expect.stringContaining('or off')],
    ]);
  });
});

test('syncs the audit only if AUDIT_FSYNC is true', () => {
  expect(parse({}).auditFsync).toBe(false);
  expect(parse({ AUDIT_FSYNC: 'true' }).auditFsync).toBe(true);
  expect(mistakes({ AUDIT_FSYNC: 'often' })).toEqual([['AUDIT_FSYNC', 'is "often": must be true or false']]);
});

test('reads the paths of the scan report and the storage file', () => {
  expect(parse({}).storageFile).toBeUndefined();
  expect(parse({ CODEC_STORAGE_FILE: '/etc/storage.yaml' }).storageFile).toBe('/etc/storage.yaml');
  expect(parse({}).scanReportFile).toBeUndefined();
  expect(parse({ SCAN_REPORT_FILE: '/var/scan.json' }).scanReportFile).toBe('/var/scan.json');
});

describe('AUTH=none', () => {
  test.each(['127.0.0.1', '127.8.8.8', '::1', 'localhost', 'LOCALHOST'])('allows the host %s', (host) => {
    expect(parse({ CODEC_HOST: host }).host).toBe(host);
  });

  test.each(['0.0.0.0', '::', '10.0.0.7', 'codec.example.com', 'localhost.example.com', '128.0.0.1'])(
    'rejects the host %s',
    (host) =>
      expect(mistakes({ CODEC_HOST: host })).toEqual([['CODEC_HOST', expect.stringContaining('loopback')]]),
  );

  test('reports a host that is not loopback along with all other mistakes', () => {
    const all = mistakes({ CODEC_HOST: '0.0.0.0', CODEC_PORT: '80a', AUTH: 'none', LOG_LEVEL: 'loud' });
    expect(all.map(([variable]) => variable).toSorted()).toEqual(['CODEC_HOST', 'CODEC_PORT', 'LOG_LEVEL']);
  });
});

describe('AUTH=policy', () => {
  test('allows a host that is not loopback', () => {
    const { host, policyFile } = parse({ AUTH: 'policy', POLICY_FILE: 'policy.yaml', CODEC_HOST: '0.0.0.0' });
    expect([host, policyFile]).toEqual(['0.0.0.0', 'policy.yaml']);
  });

  test('requires the policy file, and rejects a policy file without AUTH=policy', () => {
    const problem = expect.stringContaining('must be set with AUTH=policy, and only then');
    expect(mistakes({ AUTH: 'policy' })).toEqual([['POLICY_FILE', problem]]);
    expect(mistakes({ POLICY_FILE: 'policy.yaml' })).toEqual([['POLICY_FILE', problem]]);
  });

  test('rejects an unknown value of AUTH', () => {
    expect(mistakes({ AUTH: 'oidc' })).toEqual([['AUTH', expect.stringContaining('must be policy')]]);
  });
});

test.each(['0', '65535'])('accepts port %s', (port) =>
  expect(parse({ CODEC_PORT: port }).port).toBe(Number(port)),
);

test.each(['65536', '-1', '80.5', '0x50', 'tcp://10.0.0.1:8088'])('rejects port %s', (port) => {
  expect(mistakes({ CODEC_PORT: port })).toEqual([['CODEC_PORT', expect.stringContaining('0 to 65535')]]);
});

test('reads a comma-separated list of origins', () => {
  const { corsOrigins } = parse({ CODEC_CORS_ORIGINS: 'http://localhost:8233, https://cloud.temporal.io' });
  expect(corsOrigins).toEqual(['http://localhost:8233', 'https://cloud.temporal.io']);
});

test.each([
  '*',
  'null',
  'https://a.example/',
  'https://A.example',
  'https://a.example:443',
  'file://x',
  'https://u:p@a.example',
])('rejects the origin %s and names its position in the list', (origin) => {
  const all = mistakes({ CODEC_CORS_ORIGINS: `http://localhost:8233,${origin}` });
  expect(all).toEqual([['CODEC_CORS_ORIGINS', expect.stringContaining('entry 2')]]);
});

test('reads a comma-separated list of Host headers, and converts the headers to lower case', () => {
  const { allowedHosts } = parse({ CODEC_ALLOWED_HOSTS: 'Codec.Example.com,[::1]:8088,codec:80' });
  expect(allowedHosts).toEqual(['codec.example.com', '[::1]:8088', 'codec:80']);
});

test.each(['https://codec.example.com', 'codec.example.com/x', 'a b', '*'])(
  'rejects the Host header %s',
  (value) => {
    expect(mistakes({ CODEC_ALLOWED_HOSTS: value })).toHaveLength(1);
  },
);

test.each(['codec', '/codec/', '/', '//codec', '/co dec'])('rejects the path prefix %s', (prefix) => {
  expect(mistakes({ CODEC_PATH_PREFIX: prefix })).toEqual([['CODEC_PATH_PREFIX', expect.any(String)]]);
});

test('accepts a certificate only with its key', () => {
  const tls = { certFile: '/tls.crt', keyFile: '/tls.key' };
  expect(parse({ CODEC_TLS_CERT_FILE: tls.certFile, CODEC_TLS_KEY_FILE: tls.keyFile }).tls).toEqual(tls);
  const missing = expect.stringContaining('TLS needs both');
  expect(mistakes({ CODEC_TLS_CERT_FILE: '/tls.crt' })).toEqual([['CODEC_TLS_KEY_FILE', missing]]);
  expect(mistakes({ CODEC_TLS_KEY_FILE: '/tls.key' })).toEqual([['CODEC_TLS_CERT_FILE', missing]]);
});

test('rejects NODE_TLS_REJECT_UNAUTHORIZED=0, with which Node trusts every certificate', () => {
  expect(mistakes({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toEqual([
    ['NODE_TLS_REJECT_UNAUTHORIZED', expect.stringContaining('must not be 0')],
  ]);
  expect(() => parse({ NODE_TLS_REJECT_UNAUTHORIZED: '1' })).not.toThrow();
});

test('serves metrics only if CODEC_METRICS_PORT is set, and by default only on loopback', () => {
  expect(parse({})).not.toHaveProperty('metrics');
  expect(parse({ CODEC_METRICS_PORT: '9464' }).metrics).toEqual({ host: '127.0.0.1', port: 9464 });
  expect(
    parse({ CODEC_METRICS_PORT: '9464', CODEC_METRICS_ALLOWED_HOSTS: 'Codec.svc:9464, other.svc' }).metrics,
  ).toMatchObject({ allowedHosts: ['codec.svc:9464', 'other.svc'] });
});

describe('path and limit configuration', () => {
  test('leaves the limits unset by default, so that the server uses its own defaults', () => {
    expect(parse({})).toMatchObject({ namespacePaths: false, limits: {} });
  });

  test('contains the values that the environment sets', () => {
    const values = {
      CODEC_NAMESPACE_PATHS: 'true',
      CODEC_TRUSTED_PROXIES: '2',
      CODEC_MAX_BODY: '4096',
      CODEC_MAX_INFLIGHT_BYTES: '67108864',
      CODEC_MAX_PAYLOADS: '10',
      CODEC_MAX_REQUESTS: '2',
      CODEC_MAX_STREAMS: '3',
      CODEC_REQUEST_SECONDS: '5',
    };
    expect(parse(values)).toMatchObject({
      namespacePaths: true,
      proxies: 2,
      maxInflightBytes: 67_108_864,
      limits: { maxBody: 4096, maxPayloads: 10, maxRequests: 2, maxStreams: 3, requestMs: 5_000 },
    });
  });

  test.each([
    ['CODEC_NAMESPACE_PATHS', 'maybe'],
    ['CODEC_TRUSTED_PROXIES', '0'],
    ['CODEC_MAX_BODY', '16MiB'],
    ['CODEC_MAX_INFLIGHT_BYTES', '8192'],
    ['CODEC_MAX_PAYLOADS', '0'],
    ['CODEC_MAX_REQUESTS', '-1'],
    ['CODEC_REQUEST_SECONDS', '0'],
  ])('%s rejects %s', (name, value) => {
    expect(mistakes({ [name]: value }).map(([variable]) => variable)).toEqual([name]);
  });
});

test('serves no dashboard by default, and reads the settings of a configured dashboard', () => {
  expect(parse({})).not.toHaveProperty('dashboard');
  expect(
    parse({
      CODEC_DASHBOARD_DIR: '/srv/dashboard',
      CODEC_DASHBOARD_CONNECT_SOURCES: 'https://a.example, https://b.example',
      CODEC_DASHBOARD_TEMPORAL_UI_URL: 'https://temporal.example',
    }).dashboard,
  ).toEqual({
    folder: '/srv/dashboard',
    connectSources: ['https://a.example', 'https://b.example'],
    frameSources: [],
    temporalUiUrl: 'https://temporal.example',
  });
});

test.each(['https://a.example; script-src *', "'unsafe-inline'", '*', 'https://a.example/path'])(
  'rejects %s as a source in the content security policy',
  (source) => {
    for (const name of ['CODEC_DASHBOARD_CONNECT_SOURCES', 'CODEC_DASHBOARD_FRAME_SOURCES'])
      expect(mistakes({ [name]: source })).toEqual([[name, expect.any(String)]]);
  },
);

describe('codecServerEnvironment with tracing variables', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

  test('configures tracing only if an endpoint is set and the SDK is not disabled', () => {
    expect(parse({})).not.toHaveProperty('tracing');
    expect(parse({ OTEL_TRACES_SAMPLER_ARG: '0.5' })).not.toHaveProperty('tracing');
    expect(parse(endpoint).tracing).toEqual({ ratio: 1 });
    const complete = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector.example.com/v1/traces' };
    expect(parse({ ...complete, OTEL_TRACES_SAMPLER_ARG: '0.1' }).tracing).toEqual({ ratio: 0.1 });
    expect(parse({ ...endpoint, OTEL_SDK_DISABLED: 'true' })).not.toHaveProperty('tracing');
  });

  test.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4317'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'https://user:secret@collector.example.com'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'https://collector.example.com/v1/traces?key=secret'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
  ])('rejects %s=%s', (name, value) => {
    expect(mistakes({ ...endpoint, [name]: value })).toEqual([[name, expect.not.stringContaining('secret')]]);
  });

  test('redacts the endpoint and the headers in the settings for the log', () => {
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer secret' };
    const printed = printableConfig(codecServerEnvironment, { ...kms, ...endpoint, ...headers });
    expect(printed).toMatchObject({
      OTEL_EXPORTER_OTLP_ENDPOINT: '[redacted]',
      OTEL_EXPORTER_OTLP_HEADERS: '[redacted]',
    });
  });
});
