import { readdir, readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { extname, join } from 'node:path';
import { isPageAddress, pageBelow, pageHeaders } from '@temporal-kms/codec-api';

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** A server of built files, which answers only requests below its base path. */
export interface Site {
  readonly origin: string;
  close(): void;
}

/**
 * Serves a build with the headers that every server of the dashboard sends.
 *
 * @param basePath empty, or `/…` without a slash at the end
 * @param apiUrl the codec server's address in `config.json`
 * @param provider origin of the identity provider
 */
export async function serveSite(
  dist: string,
  basePath: string,
  apiUrl: string,
  provider: string,
): Promise<Site> {
  const names = (await readdir(dist, { recursive: true })).filter((name) => extname(name) in types);
  const files = new Map<string, Buffer>();
  for (const name of names) files.set(`/${name.replaceAll('\\', '/')}`, await readFile(join(dist, name)));
  files.set('/config.json', Buffer.from(JSON.stringify({ apiUrl })));
  files.set('/index.html', Buffer.from(pageBelow(String(files.get('/index.html')), basePath)));
  const headers = pageHeaders({ connect: [apiUrl, provider], frame: [provider] });
  return listen((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    const path = pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : '';
    const name = isPageAddress(path) ? '/index.html' : path;
    const content = files.get(name);
    response.writeHead(content ? 200 : 404, {
      ...headers,
      'content-type': types[extname(name)] ?? 'text/plain',
    });
    response.end(content);
  });
}

/** An identity provider where no person is signed in. */
export interface Provider extends Site {
  /** The addresses to which the provider has redirected the browser. */
  readonly returnUris: string[];
}

export async function startProvider(): Promise<Provider> {
  const returnUris: string[] = [];
  const site = await listen((request, response) => {
    const issuer = `http://${request.headers.host}`;
    const { pathname, searchParams } = new URL(request.url ?? '/', issuer);
    if (pathname === '/authorize') {
      const returnUri = searchParams.get('redirect_uri') ?? '';
      returnUris.push(returnUri);
      const answer = { error: 'login_required', state: searchParams.get('state') ?? '', iss: issuer };
      response.writeHead(302, { location: `${returnUri}?${new URLSearchParams(answer)}` }).end();
    } else {
      response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
      const endpoints = { authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` };
      response.end(JSON.stringify({ issuer, ...endpoints }));
    }
  });
  return { ...site, returnUris };
}

async function listen(listener: RequestListener): Promise<Site> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('The server has no port.');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
