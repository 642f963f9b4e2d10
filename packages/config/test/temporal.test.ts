import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTemporalConfig } from '../src/index.ts';

const dir = await mkdtemp(join(tmpdir(), 'temporal-config-'));
const file = join(dir, 'temporal.toml');
await writeFile(join(dir, 'client.pem'), 'a certificate');
await writeFile(join(dir, 'client.key'), 'a key');
await writeFile(
  file,
  [
    '[profile.default]',
    'address = "localhost:7233"',
    '[profile.self-hosted]',
    'address = "temporal.example.com:7233"',
    'namespace = "payments"',
    '[profile.self-hosted.tls]',
    `client_cert_path = "${join(dir, 'client.pem')}"`,
    `client_key_path = "${join(dir, 'client.key')}"`,
    '[profile.cloud]',
    'address = "eu-west-1.aws.api.temporal.io:7233"',
    'namespace = "payments.a1b2c"',
    'api_key = "secret-key"',
  ].join('\n'),
);
afterAll(() => rm(dir, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);
const load = (values: Record<string, string>) => loadTemporalConfig({ HOME: dir, ...values });

describe('loadTemporalConfig', () => {
  it('returns the local server if no variable is set', () => {
    const { connectionOptions, namespace } = load({});
    expect(namespace).toBe('default');
    expect(connectionOptions.address ?? 'localhost:7233').toBe('localhost:7233');
    expect(connectionOptions.tls).toBeUndefined();
  });

  it('reads the profile that TEMPORAL_PROFILE names', () => {
    const { connectionOptions, namespace } = load({
      TEMPORAL_CONFIG_FILE: file,
      TEMPORAL_PROFILE: 'self-hosted',
    });
    expect(namespace).toBe('payments');
    expect(connectionOptions).toMatchObject({
      address: 'temporal.example.com:7233',
      tls: { clientCertPair: { crt: bytes('a certificate'), key: bytes('a key') } },
    });
  });

  it('enables TLS if an API key is set', () => {
    const { connectionOptions, namespace } = load({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'cloud' });
    expect(namespace).toBe('payments.a1b2c');
    expect(connectionOptions).toMatchObject({ apiKey: 'secret-key', tls: true });
  });

  it('lets variables override the profile, and ignores empty variables', () => {
    const { connectionOptions, namespace } = load({
      TEMPORAL_CONFIG_FILE: file,
      TEMPORAL_PROFILE: 'cloud',
      TEMPORAL_ADDRESS: '',
      TEMPORAL_NAMESPACE: 'other.a1b2c',
    });
    expect(namespace).toBe('other.a1b2c');
    expect(connectionOptions.address).toBe('eu-west-1.aws.api.temporal.io:7233');
  });

  it.each([
    ['a missing profile file', { TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml' }, 'nowhere'],
    ['a missing profile', { TEMPORAL_PROFILE: 'staging' }, 'staging'],
    ['a client certificate without a key', { TEMPORAL_TLS_CLIENT_CERT_PATH: '/a.pem' }, 'private key'],
    [
      'an API key without TLS',
      { TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'false', TEMPORAL_ADDRESS: 'temporal.example.com:7233' },
      'plaintext',
    ],
    ['a missing certificate file', { TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/nowhere/ca.pem' }, 'nowhere'],
  ])('rejects %s and names the variables to check', (_what, values, words) => {
    expect(() => load({ TEMPORAL_CONFIG_FILE: file, ...values })).toThrow(
      new RegExp(`TEMPORAL_\\* variables[^]*TEMPORAL_PROFILE[^]*${words}`),
    );
  });

  it('accepts an API key without TLS on loopback, for tests', () => {
    const values = { TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'false', TEMPORAL_ADDRESS: '127.0.0.1:7233' };
    expect(load(values).connectionOptions).toMatchObject({ apiKey: 'k', tls: false });
  });
});
