import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { Go } from '@temporal-kms/scripts/go';
import { findWebUiServer } from '@temporal-kms/scripts/web-ui-server';

export interface WebUiOptions {
  readonly go: Go;
  /** The folder for the Web UI's configuration. */
  readonly directory: string;
  readonly port: number;
  /** The gRPC address of the Temporal server. */
  readonly temporal: string;
  readonly issuer: string;
  readonly client: { readonly id: string; readonly secret: string };
  readonly codecEndpoint: string;
}

export const callbackUrl = (port: number): string => `http://localhost:${port}/auth/sso/callback`;

/**
 * Starts Temporal's Web UI server with sign-in. The Web UI passes the access token to the codec server. The Web
 * UI of Temporal's development server has no sign-in and sends no token.
 */
export async function startWebUi(options: WebUiOptions): Promise<{ url: string } & AsyncDisposable> {
  const { go, directory, port, temporal, issuer, client, codecEndpoint } = options;
  const binary = await findWebUiServer(go);
  await writeFile(
    join(directory, 'ui.yaml'),
    JSON.stringify({
      temporalGrpcAddress: temporal,
      host: '127.0.0.1',
      port,
      enableUi: true,
      disableNewsFetch: true,
      cors: { cookieInsecure: true, allowOrigins: [`http://localhost:${port}`] },
      auth: {
        enabled: true,
        providers: [
          {
            label: 'sso',
            type: 'oidc',
            providerUrl: issuer,
            clientId: client.id,
            clientSecret: client.secret,
            scopes: ['openid', 'email', 'codec'],
            callbackUrl: callbackUrl(port),
          },
        ],
      },
      codec: { endpoint: codecEndpoint, passAccessToken: true, includeCredentials: true },
    }),
  );
  const server = execa(binary, ['--root', directory, '--config', '.', '--env', 'ui', 'start'], {
    reject: false,
    all: true,
  });
  let ended = false;
  void server.then(() => (ended = true));
  const url = `http://localhost:${port}`;
  for (let tries = 0; ; tries += 1) {
    const ready = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    if (ready?.ok) break;
    if (ended || tries > 600) {
      server.kill('SIGKILL');
      throw new Error(`Temporal's Web UI server did not start: ${(await server).all}`);
    }
    await sleep(100);
  }
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      server.kill('SIGKILL');
      await server;
    },
  };
}
