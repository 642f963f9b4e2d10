import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { serveStatic } from '@hono/node-server/serve-static';
import { isPageAddress, pageBelow, pageCacheControl, pageHeaders } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import type { Access } from '../access/access.ts';
import { HttpError } from '../errors.ts';
import type { Env, Headers } from '../http/context.ts';
import { reply } from '../http/responses.ts';

export interface DashboardOptions {
  /** The folder that contains the build of decrypt-ui. */
  readonly folder: string;
  /** The prefix of all paths: empty, or `/…` without a trailing slash. */
  readonly pathPrefix: string;
  /** Origins that the page may send requests to, in addition to this server and the sign-in issuer. */
  readonly connectSources: readonly string[];
  /** Origins that the page may show in a frame, in addition to the sign-in issuer. */
  readonly frameSources: readonly string[];
  /** URL of Temporal's Web UI. Without a URL, the page does not link to the Web UI. */
  readonly temporalUiUrl?: string | undefined;
}

/** @param access provides the sign-in issuer */
export type Dashboard = (c: Context<Env>, access: Access) => Promise<Response> | undefined;

/**
 * Files in a build: at the root or in `assets/`. Every name has an extension, so no name is a path of the
 * API.
 */
const servedName = /^\/(?:assets\/)?[\w-][\w.-]*\.\w+$/;

/** Suffixes of compressed files, for the encodings that `serveStatic` knows. */
const compressed = ['.br', '.gz', '.zst'];

/**
 * Returns a function that serves the dashboard's files, and `index.html` for paths of the application's
 * pages. Requests need no token, because the files contain no data. Serves only file names that the folder
 * contained at startup, so that a request's path is never used as a path in the file system.
 *
 * @throws Error if the folder does not contain a build of the dashboard or contains a symbolic link
 */
export async function openDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { pathPrefix, temporalUiUrl, connectSources, frameSources } = options;
  const root = await realpath(options.folder);
  const files = new Set(await namesIn(root));
  if (!files.has('/index.html') || ![...files].some((name) => name.startsWith('/assets/'))) {
    throw new Error(`${options.folder} does not contain a dashboard build (index.html and assets/)`);
  }
  const page = pageBelow(await readFile(join(root, 'index.html'), 'utf8'), pathPrefix);
  const config = JSON.stringify({ apiUrl: '', ...(temporalUiUrl !== undefined && { temporalUiUrl }) });
  for (const name of ['/index.html', '/config.json']) files.delete(name);

  const belowPrefix = (path: string): string => path.slice(pathPrefix.length);
  const sendFile = serveStatic<Env>({ root, precompressed: true, rewriteRequestPath: belowPrefix });

  const headersOf = (c: Context<Env>, access: Access, path: string): Headers => {
    const issuer = access.signIn()?.issuer;
    const provider = issuer === undefined ? [] : [new URL(issuer).origin];
    const hsts = c.get('headers')['Strict-Transport-Security'];
    return {
      ...pageHeaders({ connect: [...provider, ...connectSources], frame: [...provider, ...frameSources] }),
      'Cache-Control': pageCacheControl(path),
      ...(hsts !== undefined && { 'Strict-Transport-Security': hsts }),
    };
  };

  const fileResponse = async (c: Context<Env>, path: string, headers: Headers): Promise<Response> => {
    if (!(await isUnchanged(root, path))) throw notFound();
    for (const [name, value] of Object.entries({ ...headers, Vary: 'Accept-Encoding' }))
      c.header(name, value);
    const response = await sendFile(c, () => Promise.resolve());
    if (!response) throw notFound();
    return response;
  };

  return (c, access) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') return undefined;
    const { path } = c.req;
    const isPrefix = pathPrefix !== '' && path === pathPrefix;
    if (!isPrefix && !path.startsWith(`${pathPrefix}/`)) return undefined;
    const name = belowPrefix(path);
    const isFile = files.has(name);
    if (!isPrefix && !isFile && name !== '/config.json' && !isPageAddress(name)) return undefined;

    c.set('route', `${pathPrefix}/dashboard`);
    const headers = headersOf(c, access, name);
    if (isFile) return fileResponse(c, name, headers);
    c.set('headers', headers);
    if (isPrefix) {
      const moved = { ...headers, Location: `${pathPrefix}/` };
      return Promise.resolve(new Response(null, { status: 308, headers: moved }));
    }
    const [content, type] =
      name === '/config.json' ? [config, 'application/json'] : [page, 'text/html; charset=utf-8'];
    // Without this header, the response to HEAD would have no length.
    return Promise.resolve(
      reply(c, content, type, 200, { 'Content-Length': String(Buffer.byteLength(content)) }),
    );
  };
}

const notFound = (): HttpError => new HttpError(404, 'not_found', 'The dashboard has no such file.');

/** Returns the names of the files that may be served, with a slash at the start. @throws Error for a symbolic link */
async function namesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const link = entries.find((entry) => entry.isSymbolicLink());
  if (link) {
    const name = join(relative(root, link.parentPath), link.name);
    throw new Error(`${name} is a symbolic link; copy the build without links`);
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => `/${join(relative(root, entry.parentPath), entry.name).split(sep).join('/')}`)
    .filter((name) => servedName.test(name) && !compressed.includes(extname(name)));
}

/**
 * Returns whether a file and its compressed forms are still regular files inside the folder, not symbolic
 * links.
 */
async function isUnchanged(root: string, name: string): Promise<boolean> {
  if ((await realpath(join(root, name, '..')).catch(() => '')) !== join(root, name, '..')) return false;
  const [file, ...others] = await Promise.all(
    ['', ...compressed].map((suffix) => lstat(join(root, `${name}${suffix}`)).catch(() => undefined)),
  );
  return file?.isFile() === true && others.every((other) => other === undefined || other.isFile());
}
