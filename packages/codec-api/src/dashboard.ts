/**
 * Headers and paths that the dashboard requires of the server that serves its files. The codec server uses
 * these functions. deploy/docker/Caddyfile and deploy/nginx/dashboard.conf repeat the same rules, and tests
 * compare the responses of all three.
 */

/** Origins in the content security policy, in addition to the page's own origin. */
export interface PageSources {
  /**
   * Origins to which the page sends requests: the identity provider, and a codec server on another origin.
   */
  readonly connect?: readonly string[];
  /** Origins of pages that the dashboard loads in a hidden frame, such as the identity provider's. */
  readonly frame?: readonly string[];
}

/** Returns the headers that all dashboard files have in common. The caching headers are separate. */
export function pageHeaders({ connect = [], frame = [] }: PageSources = {}): Record<string, string> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", ...connect].join(' '),
    "worker-src 'self'",
    ["frame-src 'self'", ...frame].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ];
  return {
    'Content-Security-Policy': policy.join('; '),
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  };
}

/**
 * Returns the `Cache-Control` header for an existing file. Only file names in `assets/` contain a hash of the
 * content.
 *
 * @param path below the base path, with a slash at its start
 */
export function pageCacheControl(path: string): string {
  if (path.startsWith('/assets/')) return 'public, max-age=31536000, immutable';
  return path === '/config.json' ? 'no-store' : 'no-cache';
}

/**
 * Returns whether a path is an address of the application, for which a server returns `index.html`. The
 * addresses of workflows in Temporal's Web UI also work here.
 *
 * @param path below the base path, with a slash at its start
 */
export const isPageAddress = (path: string): boolean =>
  /^\/(?:sign-in|signed-out|(?:ns\/[^/]+\/[^/]+|namespaces\/[^/]+\/workflows)(?:\/[^/]*)*)?$/.test(path);

/**
 * Returns `index.html` for a base path other than `/`. No other file contains URLs that depend on the base
 * path.
 *
 * @param basePath empty, or `/…` without a slash at the end
 */
export const pageBelow = (html: string, basePath: string): string => html.replaceAll('="/', `="${basePath}/`);
