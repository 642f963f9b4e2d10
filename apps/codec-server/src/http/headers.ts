/** What every answer carries. Nothing here is a page: nothing may be framed, sniffed, cached or sent on. */
const always = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  // Without it a cache could give one origin's answer to another.
  Vary: 'Origin',
} as const;

export type Headers = Readonly<Record<string, string>>;

/**
 * Headers by the caller's origin, made once: Hono's own `cors()` cost half of a small `/decode` when it was measured.
 * Origins are exact and answered one by one, since a wildcard can't go with credentials.
 */
export interface ResponseHeaders {
  /** For an origin that isn't in the list, and for callers that aren't browsers: no CORS headers. */
  of(origin: string | undefined): Headers;
  allows(origin: string): boolean;
  preflight(origin: string): Headers;
}

/** Only over TLS: a browser ignores it elsewhere, and a proxy that ends TLS sends its own. A year. */
const overTls = { 'Strict-Transport-Security': 'max-age=31536000' } as const;

export function createResponseHeaders(origins: readonly string[], tls = false): ResponseHeaders {
  const own: Headers = tls ? { ...always, ...overTls } : always;
  const byOrigin = new Map<string, Headers>(
    origins.map((origin) => [
      origin,
      {
        ...own,
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Credentials': 'true',
        'Access-Control-Expose-Headers': 'Retry-After',
      },
    ]),
  );
  const of = (origin: string | undefined): Headers => byOrigin.get(origin ?? '') ?? own;
  return {
    of,
    allows: (origin) => byOrigin.has(origin),
    preflight: (origin) => ({
      ...of(origin),
      'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
      // The Web UI sends Authorization-Extras (the id token) whenever it passes its access token.
      'Access-Control-Allow-Headers':
        'Content-Type, X-Namespace, X-Reveal-Justification, Authorization, Authorization-Extras',
      // Chromium's upper limit.
      'Access-Control-Max-Age': '7200',
    }),
  };
}
