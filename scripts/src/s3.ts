import { join } from 'node:path';
import { answers, startChild, untilReady } from './child.ts';
import { pipProgram } from './pip.ts';
import { freePorts } from './ports.ts';
import { toolsDir } from './project.ts';

const requirements = join(import.meta.dirname, '..', 'moto.txt');
const installDir = join(toolsDir, 'moto-5.2.5');

/**
 * The folder with boto3, Amazon's client for Python, which is installed with moto. The folder exists once a
 * server has been started.
 */
export const boto3Folder: string = installDir;

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Server {
  /** The endpoint. Clients must put the bucket's name into the path (`forcePathStyle`). */
  readonly url: string;
  readonly region: string;
  /** Credentials with all permissions for the buckets. */
  readonly writer: S3Credentials;
  /** Credentials that may only list the buckets and read their objects. */
  readonly reader: S3Credentials;
  /** Stops the server and deletes its objects. */
  close(): Promise<void>;
}

/**
 * Starts moto's S3 server on loopback. Like Amazon's server, moto's server verifies the signature of each
 * request (SigV4) and the policy of the caller. The server keeps objects in memory. On first use, pip
 * installs the server from PyPI with pinned hashes.
 * @param buckets the buckets to create
 * @param port a free port by default
 * @throws Error if the server cannot be installed or does not start
 */
export async function startS3(buckets: readonly string[], port?: number): Promise<S3Server> {
  const file = await pipProgram(requirements, installDir, 'bin/moto_server');
  const [free = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port ?? free}`;
  const args = ['-H', '127.0.0.1', '-p', String(port ?? free)];
  const server = await startChild(file, args, { PYTHONPATH: installDir });
  const close = () => server.stop('SIGKILL');
  await untilReady('moto', server, () => answers(`${url}/moto-api/`), close);
  for (const bucket of buckets) await send(`${url}/${bucket}`, { method: 'PUT' });
  const writer = await createUser(url, 'writer', buckets, ['s3:*']);
  const reader = await createUser(url, 'reader', buckets, ['s3:GetObject', 's3:ListBucket']);
  // From now on, the server rejects requests without a signature.
  await send(`${url}/moto-api/reset-auth`, { method: 'POST', body: '0' });
  return { url, region: 'us-east-1', writer, reader, close };
}

async function createUser(
  url: string,
  UserName: string,
  buckets: readonly string[],
  Action: readonly string[],
): Promise<S3Credentials> {
  const Resource = buckets.flatMap((bucket) => [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`]);
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource }] };
  await callIam(url, 'CreateUser', { UserName });
  await callIam(url, 'PutUserPolicy', {
    UserName,
    PolicyName: UserName,
    PolicyDocument: JSON.stringify(policy),
  });
  const answer = await callIam(url, 'CreateAccessKey', { UserName });
  const read = (name: string) => new RegExp(`<${name}>(.+?)</${name}>`).exec(answer)?.[1] ?? '';
  return { accessKeyId: read('AccessKeyId'), secretAccessKey: read('SecretAccessKey') };
}

/**
 * Calls AWS's Identity and Access Management. The server determines the service from the scope of the
 * credential.
 */
const callIam = (url: string, Action: string, parameters: Readonly<Record<string, string>>) =>
  send(url, {
    method: 'POST',
    headers: { authorization: 'AWS4-HMAC-SHA256 Credential=setup/20260101/us-east-1/iam/aws4_request' },
    body: new URLSearchParams({ Action, Version: '2010-05-08', ...parameters }),
  });

async function send(url: string, request: RequestInit): Promise<string> {
  const response = await fetch(url, request);
  const text = await response.text();
  if (!response.ok) throw new Error(`moto refused a request (status ${response.status}): ${text}`);
  return text;
}
